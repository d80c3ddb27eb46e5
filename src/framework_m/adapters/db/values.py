"""What each Python type's values become on their way to the database, and why some may not.

Every function here returns the value in the one form that both databases keep and give back, or
raises ValueError with the reason, to be told with the field's name.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, time
from decimal import Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from framework_m.adapters.db.decimals import LARGEST_EXPONENT

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_EXACT = Context(prec=3 * LARGEST_EXPONENT)


def text(value: Any) -> str:
    plain = str.__str__(value)
    if "\x00" in plain:
        raise ValueError("holds a NUL character, which cannot be stored")
    if not plain.isascii():
        try:
            plain.encode()
        except UnicodeEncodeError:
            raise ValueError("holds half of a surrogate pair, which is no character") from None
    return plain


def integer(value: int) -> int:
    if not _LOWEST <= value <= _HIGHEST:
        raise ValueError("does not fit into 64 bits")
    return int(value)


def number(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be finite")
    return value + 0.0  # SQLite has no -0.0


def exact(value: Decimal, precision: int | None = None, scale: int | None = None) -> Decimal:
    """A Decimal at its own scale, or at the one that the column has."""
    if not value.is_finite():
        raise ValueError("must be finite")
    exponent = value.as_tuple().exponent
    places = max(0, -int(exponent)) if scale is None else scale
    if (value and value.adjusted() >= LARGEST_EXPONENT) or places > LARGEST_EXPONENT:
        raise ValueError(f"has more than {LARGEST_EXPONENT} digits before or after the point")
    try:
        kept = value.quantize(Decimal((0, (1,), -places)), context=_EXACT)
    except InvalidOperation:
        raise ValueError("has too many digits") from None
    if kept != value:
        raise ValueError(f"has more than {places} decimal places")
    if precision is not None and kept and kept.adjusted() >= precision - places:
        raise ValueError(f"has more than {precision - places} digits before the point")
    return kept or kept.copy_abs()  # PostgreSQL has no -0


def moment(value: datetime) -> datetime:
    if value.utcoffset() is None:
        raise ValueError("needs a time zone: datetimes are aware here")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999 in UTC") from None


def clock_time(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("cannot have a time zone: a time of day without a date has none")
    return value.replace(fold=0)


def uuid(value: UUID) -> UUID:
    """Python's own class: the driver for PostgreSQL has another."""
    return value if type(value) is UUID else UUID(int=value.int)


def same(value: Any) -> Any:
    return value
