"""Column types that hold the same values, in the same order, on SQLite and PostgreSQL.

Migrations name these types: what one of them means must never change.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import ColumnElement, DateTime, Numeric, String, Text, Time, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles

from framework_m.adapters.db.decimals import decoded, encoded, plain

__all__ = ["ClockTime", "ExactDecimal", "UtcDateTime", "exact_default"]


T = TypeVar("T")
_Reading: TypeAlias = Callable[[Any], T | None]
# Functions of their own, one per database: they run for every value of every row.


def _utc_from_text(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")


def _utc(value: Any) -> datetime | None:
    # The driver's value for infinity, which is also that of the last moment, has no zone.
    found: datetime | None = value
    return found if found is None or found.tzinfo is UTC else found.replace(tzinfo=UTC)


def _time_from_text(value: Any) -> time | None:
    return None if value is None else time.fromisoformat(value)


def _decimal_from_text(value: Any) -> Decimal | None:
    return None if value is None else decoded(value)


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else plain(value)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime: timestamptz on PostgreSQL, sortable UTC text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        kind = String(26) if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must be aware")
        in_utc = value.astimezone(UTC)
        if dialect.name != "sqlite":
            return in_utc
        # Not strftime: it writes the year 999 with three digits.
        return in_utc.replace(tzinfo=None).isoformat(" ", "microseconds")

    def result_processor(self, dialect: Dialect, coltype: object) -> _Reading[datetime]:
        return _utc_from_text if dialect.name == "sqlite" else _utc


class ClockTime(TypeDecorator[time]):
    """A time of day without a zone: time on PostgreSQL, sortable text on SQLite."""

    impl = Time
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(String(15) if dialect.name == "sqlite" else Time())

    def process_bind_param(self, value: time | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return value.isoformat("microseconds")

    def result_processor(self, dialect: Dialect, coltype: object) -> _Reading[time] | None:
        return _time_from_text if dialect.name == "sqlite" else None


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal with its scale: numeric on PostgreSQL, text that sorts as it on SQLite.

    SQLite's own numbers are 64-bit integers and doubles, neither of which holds a Decimal. The
    text is described in `framework_m.adapters.db.decimals`.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int | None = None, scale: int | None = None) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(Numeric(self.precision, self.scale, asdecimal=True))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return encoded(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> _Reading[Decimal]:
        return _decimal_from_text if dialect.name == "sqlite" else _decimal


class exact_default(ColumnElement[Decimal]):  # noqa: N801 - used like an SQL function
    """A column's default: this Decimal, as ExactDecimal keeps it."""

    inherit_cache = False

    def __init__(self, number: str) -> None:
        self.number = Decimal(number)


@compiles(exact_default)
def _default_number(element: exact_default, _: Any, **__: Any) -> str:
    return format(element.number, "f")


@compiles(exact_default, "sqlite")
def _default_text(element: exact_default, _: Any, **__: Any) -> str:
    return f"'{encoded(element.number)}'"
