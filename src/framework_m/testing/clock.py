"""MovableClock: goes on like any other, from whenever a test wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class MovableClock:
    """The time of the application and of its database while a kit is open.

        kit.clock.advance(hours=1)
        kit.clock.move_to(datetime(2027, 1, 1, tzinfo=UTC))

    Due times, retries, unique periods, rate limits, leases, expiry of keys and sessions, stamps of
    documents and events go by it. Not so the length of a job's timeout, and not `datetime.now`
    in code of your own: that may ask `kit.clock.now()`.
    """

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        """Aware, in UTC."""
        return datetime.now(UTC) + self._offset

    def advance(
        self,
        span: timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Let so much time have passed; never less than none. Raises ValueError."""
        given = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        total = (span or timedelta()) + given
        if total < timedelta():
            raise ValueError("time does not go back: use move_to")
        self._offset += total

    def move_to(self, moment: datetime) -> None:
        """Let it be this moment, in the past or to come. Raises ValueError if it is naive."""
        if moment.utcoffset() is None:
            raise ValueError("must be an aware datetime")
        self._offset = moment - datetime.now(UTC)
