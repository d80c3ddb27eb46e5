"""Column types that hold the same values, in the same order, on SQLite and PostgreSQL.

Migrations name these types: what one of them means must never change.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Numeric, String, Text, Time, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles

from framework_m.adapters.db.decimals import decoded, encoded, plain

__all__ = ["ClockTime", "ExactDecimal", "UtcDateTime", "exact_default"]


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

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return None if value is None else value.replace(tzinfo=UTC)
        return datetime.fromisoformat(value).replace(tzinfo=UTC)


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

    def process_result_value(self, value: Any, dialect: Dialect) -> time | None:
        return time.fromisoformat(value) if dialect.name == "sqlite" and value else value


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

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        return decoded(value) if dialect.name == "sqlite" else plain(value)


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
