"""Testing: what users import in the tests of their own applications.

Owns: Kit, the movable clock, what is asserted of jobs, the pytest plugin.
May import: everything below.
Must not touch: servers; nothing in framework_m imports it.
Invariants: jobs run as a worker runs them, and nothing is left behind.
"""

from framework_m.testing.clock import MovableClock
from framework_m.testing.errors import JobsFailedError
from framework_m.testing.kit import Kit

__all__ = ["JobsFailedError", "Kit", "MovableClock"]
