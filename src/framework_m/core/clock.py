"""Clock: what time it is (invariant 11). Tests move it: see framework_m.testing."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Aware, in UTC."""


class SystemClock:
    """The machine's."""

    def now(self) -> datetime:
        return datetime.now(UTC)


_clocks: list[Clock] = [SystemClock()]
"""The last one counts. Of the process, like the system's own: threads ask it, too."""


def now() -> datetime:
    """The time now, aware and in UTC."""
    return _clocks[-1].now()


def moved() -> Clock | None:
    """The clock in use, if it is another than the system's."""
    return _clocks[-1] if len(_clocks) > 1 else None


@contextlib.contextmanager
def in_use(clock: Clock) -> Iterator[None]:
    """Let this process go by another clock in the block."""
    _clocks.append(clock)
    try:
        yield
    finally:
        _clocks.remove(clock)
