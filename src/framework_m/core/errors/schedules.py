"""What may be wrong with a schedule."""

from __future__ import annotations

from framework_m.core.errors.base import FrameworkMError

_SHOWN = 80
"""Characters of what was written that a message repeats."""


class CronError(FrameworkMError):
    """What was written is no cron expression, or one that is never due."""

    def __init__(self, expression: str, reason: str) -> None:
        super().__init__(f"{_quoted(expression)} cannot be a schedule: {reason}")
        self.expression = expression
        self.reason = reason


class UnknownTimeZoneError(FrameworkMError):
    """The IANA database has no time zone of this name; `nearest` was meant, perhaps."""

    def __init__(self, timezone: str, nearest: str | None = None) -> None:
        hint = f"did you mean {nearest!r}?" if nearest else "write it like 'Europe/Berlin' or 'UTC'"
        super().__init__(f"{_quoted(timezone)} is not a time zone: {hint}")
        self.timezone = timezone
        self.nearest = nearest


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
