"""The application whose processes tests of events run; its settings come from the environment."""

from framework_m import FrameworkM
from tests.support.harness import JOBS

app = FrameworkM(("tests.support.events", *JOBS))
