"""What a job may raise to say how it wants to go on. Not errors: no traceback is kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from framework_m.core import clock

LONGEST_WAIT = timedelta(days=36_500)
"""What every database can add to a time."""


class Retry(Exception):
    """Try again later, as after an error: this attempt is spent.

    after: seconds or a timedelta; the job's backoff if not given. When no attempt is left the job
        is Failed.
    """

    def __init__(self, after: float | timedelta | None = None, reason: str = "") -> None:
        super().__init__(reason or "asked to be tried again")
        self.after = None if after is None else seconds(after)


class Snooze(Exception):
    """Postpone: the job waits and starts anew, and no attempt is spent.

    Give `after` (seconds or a timedelta) or `until` (an aware datetime).
    """

    def __init__(
        self, after: float | timedelta | None = None, *, until: datetime | None = None
    ) -> None:
        super().__init__("postponed")
        if (after is None) == (until is None):
            raise TypeError("Snooze takes either `after` or `until`")
        if until is not None and until.tzinfo is None:
            raise TypeError("Snooze(until=…) needs an aware datetime")
        self._after = None if after is None else seconds(after)
        self._until = until

    @property
    def wait(self) -> timedelta:
        """From now; nothing if the time has passed."""
        if self._after is not None:
            return self._after
        assert self._until is not None, "one of the two is given"  # noqa: S101
        return seconds(self._until - clock.now())


class Cancel(Exception):
    """End as Cancelled: there is nothing to do any more."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "cancelled itself")


class Discard(Exception):
    """End as Failed, without another attempt: it would end the same way."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "gave up")


def seconds(wait: float | timedelta) -> timedelta:
    """A wait, which cannot be negative, and is bounded."""
    found = wait if isinstance(wait, timedelta) else timedelta(seconds=wait)
    return min(max(timedelta(), found), LONGEST_WAIT)
