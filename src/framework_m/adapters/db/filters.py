"""Filters as SQL. Every identifier is a column of the DocType's own table."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Text, and_, false, literal, or_, true, type_coerce

from framework_m.adapters.db import decimals
from framework_m.adapters.db.types import ExactDecimal
from framework_m.core.errors import FilterError
from framework_m.core.interfaces.filters import (
    All,
    Condition,
    Either,
    Filter,
    Operator,
    operator_named,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from framework_m.adapters.db.binding import Binding
    from framework_m.adapters.db.columns import Kind

_MOST_VALUES = 10_000
_ORDERED = (Operator.LT, Operator.LE, Operator.GT, Operator.GE, Operator.BETWEEN)


class Filters:
    """The filters of one DocType."""

    def __init__(self, binding: Binding[Any], *, is_postgresql: bool) -> None:
        self._binding = binding
        self._is_postgresql = is_postgresql

    def sql(self, wanted: Filter) -> ColumnElement[bool]:
        """Raises FilterError."""
        match wanted:
            case All(filters):
                return and_(true(), *(self.sql(item) for item in filters))
            case Either(filters):
                return or_(false(), *(self.sql(item) for item in filters))
            case Condition():
                return self._condition(wanted)
        raise FilterError("filter", f"is a {type(wanted).__name__}; write where(…)")

    def search(self, text: str) -> ColumnElement[bool]:
        """One of Meta.search_fields contains the text. Raises FilterError."""
        columns = (self.column(name) for name in self._binding.meta.search_fields)
        plain = self._operand("search", self._binding.kinds["name"], text)
        return or_(*(column.icontains(plain, autoescape=True) for column in columns))

    def column(self, field: str) -> ColumnElement[Any]:
        """Raises FilterError where there is no such field."""
        if field not in self._binding.kinds:
            near = difflib.get_close_matches(str(field), self._binding.kinds, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise FilterError(str(field), f"{self._binding.name} has no such field{hint}")
        return self._binding.table.c[field]

    def _condition(self, condition: Condition) -> ColumnElement[bool]:
        field, value = condition.field, condition.value
        column = self.column(field)
        operator = operator_named(field, condition.operator)
        if operator is Operator.IS_NULL:
            return _is_null(field, column, value)
        kind = self._comparable(field, operator)
        match operator:
            case Operator.LIKE:
                return self._like(column, self._operand(field, kind, value))
            case Operator.IN | Operator.NOT_IN:
                chosen = [self._operand(field, kind, item) for item in _several(field, value)]
                return self._in(column, operator, chosen)
            case Operator.BETWEEN:
                low, high = _two(field, value)
                return and_(
                    self._compared(column, Operator.GE, self._operand(field, kind, low)),
                    self._compared(column, Operator.LE, self._operand(field, kind, high)),
                )
        return self._compared(column, operator, self._operand(field, kind, value))

    def _comparable(self, field: str, operator: Operator) -> Kind:
        kind = self._binding.kinds[field]
        if kind.operand is None:
            what = "a secret" if kind.is_secret else "not kept in a form that compares"
            raise FilterError(field, f"is {what}: only is_null can be asked")
        if operator in _ORDERED and not kind.is_ordered:
            raise FilterError(field, f"has no order: {operator} means nothing")
        if operator is Operator.LIKE and not kind.is_text:
            raise FilterError(field, "is no text: like means nothing")
        return kind

    def _operand(self, field: str, kind: Kind, value: Any) -> Any:
        if value is None:
            raise FilterError(field, "cannot be compared with nothing; ask is_null")
        assert kind.operand is not None  # noqa: S101 - _comparable has looked
        try:
            return kind.operand(value)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise FilterError(field, f"cannot be compared with this: {_brief(error)}") from error

    def _compared(
        self, column: ColumnElement[Any], operator: Operator, value: Any
    ) -> ColumnElement[bool]:
        if isinstance(column.type, ExactDecimal) and not self._is_postgresql:
            return _decimal_text(column, operator, value)
        return _COMPARISONS[operator](column, literal(value, column.type))

    def _in(
        self, column: ColumnElement[Any], operator: Operator, chosen: list[Any]
    ) -> ColumnElement[bool]:
        if isinstance(column.type, ExactDecimal) and not self._is_postgresql:
            found = or_(false(), *(_decimal_text(column, Operator.EQ, item) for item in chosen))
        else:
            found = column.in_(chosen)
        return found if operator is Operator.IN else or_(column.is_(None), ~found)

    def _like(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        parts = list(_pattern(pattern))
        if self._is_postgresql:
            escaped = "".join(p if w else p.translate(_LIKE_ESCAPES) for p, w in parts)
            return column.like(escaped, escape="\\")
        # SQLite's LIKE disregards the case of ASCII letters; its GLOB does not.
        glob = "".join(_GLOB[p] if w else p.translate(_GLOB_ESCAPES) for p, w in parts)
        return column.op("GLOB", is_comparison=True)(glob)


_COMPARISONS: dict[Operator, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    Operator.EQ: lambda column, value: column == value,
    Operator.NE: lambda column, value: column.is_distinct_from(value),
    Operator.LT: lambda column, value: column < value,
    Operator.LE: lambda column, value: column <= value,
    Operator.GT: lambda column, value: column > value,
    Operator.GE: lambda column, value: column >= value,
}
_LIKE_ESCAPES = str.maketrans({"%": "\\%", "_": "\\_", "\\": "\\\\"})
_GLOB_ESCAPES = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
_GLOB = {"%": "*", "_": "?"}


def _pattern(text: str) -> list[tuple[str, bool]]:
    """Characters, and whether each is a wildcard."""
    parts: list[tuple[str, bool]] = []
    characters = iter(text)
    for character in characters:
        if character == "\\":
            parts.append((next(characters, "\\"), False))
        else:
            parts.append((character, character in _GLOB))
    return parts


def _is_null(field: str, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    if not isinstance(value, bool):
        raise FilterError(field, "is_null is true or false")
    return column.is_(None) if value else column.is_not(None)


def _decimal_text(
    column: ColumnElement[Any], operator: Operator, value: Decimal
) -> ColumnElement[bool]:
    """Numbers of one value lie between these two, whatever their scale."""
    text = type_coerce(column, Text)
    low = decimals.key(value)
    high = f"{low}:"
    match operator:
        case Operator.EQ:
            return and_(text >= low, text < high)
        case Operator.NE:
            return or_(column.is_(None), text < low, text >= high)
        case Operator.LT:
            return text < low
        case Operator.LE:
            return text < high
        case Operator.GT:
            return text >= high
    return text >= low


def _several(field: str, value: Any) -> list[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, list | tuple | set | frozenset):
        raise FilterError(field, "needs a list of values")
    if len(value) > _MOST_VALUES:
        raise FilterError(field, f"is compared with more than {_MOST_VALUES} values")
    return list(value)


def _two(field: str, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise FilterError(field, "between needs two values, the lower one first")
    return value[0], value[1]


def _brief(error: Exception) -> str:
    errors = getattr(error, "errors", None)
    if callable(errors):
        return "; ".join(item["msg"] for item in errors(include_url=False, include_context=False))
    if isinstance(error, ValueError):
        return str(error)
    return type(error).__name__
