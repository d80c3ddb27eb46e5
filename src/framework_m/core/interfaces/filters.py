"""Filters: which documents a repository shall list, as values.

where("total").ge(100) & (where("customer").eq("Ada") | where("due").is_null())
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from framework_m.core.errors import FilterError

_DEEPEST = 20


class Operator(StrEnum):
    """How a field is compared."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    NOT_IN = "not_in"
    LIKE = "like"
    IS_NULL = "is_null"
    BETWEEN = "between"


class _Combinable:
    __slots__ = ()

    # A chain of the same stays flat: its depth is the reader's, not the number of its links.
    def __and__(self, other: Filter) -> All:
        return All((*(self.filters if isinstance(self, All) else (self,)), other))

    def __or__(self, other: Filter) -> Either:
        return Either((*(self.filters if isinstance(self, Either) else (self,)), other))


@dataclass(frozen=True, slots=True)
class Condition(_Combinable):
    """One field compared with a value. Made by `where`."""

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class All(_Combinable):
    """Every one of these holds; with none of them, always."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Either(_Combinable):
    """At least one of these holds; with none of them, never."""

    filters: tuple[Filter, ...]


Filter: TypeAlias = Condition | All | Either


@dataclass(frozen=True, slots=True)
class where:  # noqa: N801 - read as a word: where("total").ge(100)
    """A field of the documents to list, about to be compared.

    Values are converted to the field's type. A document without a value in the field matches
    none of lt, le, gt, ge, between, like, in and eq, and matches ne and not_in.
    """

    field: str

    def eq(self, value: Any) -> Condition:
        return Condition(self.field, Operator.EQ, value)

    def ne(self, value: Any) -> Condition:
        return Condition(self.field, Operator.NE, value)

    def lt(self, value: Any) -> Condition:
        return Condition(self.field, Operator.LT, value)

    def le(self, value: Any) -> Condition:
        return Condition(self.field, Operator.LE, value)

    def gt(self, value: Any) -> Condition:
        return Condition(self.field, Operator.GT, value)

    def ge(self, value: Any) -> Condition:
        return Condition(self.field, Operator.GE, value)

    def in_(self, values: Iterable[Any]) -> Condition:
        return Condition(self.field, Operator.IN, tuple(values))

    def not_in(self, values: Iterable[Any]) -> Condition:
        return Condition(self.field, Operator.NOT_IN, tuple(values))

    def like(self, pattern: str) -> Condition:
        """`%` is any text, `_` any character, `\\%` a percent sign. Case matters."""
        return Condition(self.field, Operator.LIKE, pattern)

    def is_null(self, wanted: bool = True) -> Condition:
        """Without a value; with one if not `wanted`."""
        return Condition(self.field, Operator.IS_NULL, wanted)

    def between(self, low: Any, high: Any) -> Condition:
        """Both ends included."""
        return Condition(self.field, Operator.BETWEEN, (low, high))


def parse(value: Any, *, depth: int = 0) -> Filter:
    """A filter from JSON. Raises FilterError.

    {"customer": "Ada", "total": {"ge": "100"}, "or": [{"paid": true}, {"due": {"is_null": true}}]}
    """
    if depth > _DEEPEST:
        raise FilterError("filter", f"is nested deeper than {_DEEPEST}")
    if not isinstance(value, Mapping):
        raise FilterError("filter", "must be an object of fields")
    parts: list[Filter] = []
    for key, said in value.items():
        if key in ("and", "or"):
            parts.append(_combined(key, said, depth))
        else:
            parts.extend(_conditions(str(key), said))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _combined(key: str, said: Any, depth: int) -> Filter:
    if not isinstance(said, list | tuple):
        raise FilterError(key, "must be a list of filters")
    filters = tuple(parse(item, depth=depth + 1) for item in said)
    return All(filters) if key == "and" else Either(filters)


def _conditions(field: str, said: Any) -> Iterable[Condition]:
    if not isinstance(said, Mapping):
        yield Condition(field, Operator.EQ, said)
        return
    for operator, value in said.items():
        yield Condition(field, operator_named(field, operator), value)


def operator_named(field: str, operator: Any) -> Operator:
    """Raises FilterError."""
    try:
        return Operator(operator)
    except ValueError:
        known = ", ".join(Operator)
        raise FilterError(field, f"there is no operator {operator!r}; there are {known}") from None
