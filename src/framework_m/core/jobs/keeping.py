"""How long records are kept."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

FOREVER: Final = "forever"
_MOST_DAYS = 36_500


def checked_days(value: Any) -> float | Literal["forever"]:
    """A number of days, or `forever`. Nothing else, so that no 0 is taken for either extreme.

    Raises ValueError, in words of our own.
    """
    if isinstance(value, str) and value.strip().lower() == FOREVER:
        return FOREVER
    try:
        days = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        days = math.nan
    if not 0 < days <= _MOST_DAYS:
        told = f"must be a number of days above 0, and at most {_MOST_DAYS}, or {FOREVER!r}"
        raise PydanticCustomError("days", told)
    return days


KeepDays: TypeAlias = Annotated[float | Literal["forever"], BeforeValidator(checked_days)]
"""Days, parts of days among them, or `forever`."""


def age_of(days: float | Literal["forever"]) -> timedelta | None:
    """None is for ever."""
    return None if days == FOREVER else timedelta(days=days)
