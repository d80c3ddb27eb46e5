"""Orderings, and the cursors that continue them."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, false, literal, or_

from framework_m.core.doctypes.base import DocType, stored_values
from framework_m.core.errors import CursorError, FilterError
from framework_m.core.interfaces.repository import LARGEST_PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.adapters.db.binding import Binding
    from framework_m.adapters.db.columns import Kind
    from framework_m.adapters.db.filters import Filters

_LONGEST_CURSOR = 1_000_000


@dataclass(frozen=True, slots=True)
class _Key:
    """One field that documents are ordered by. What has no value counts as largest."""

    field: str
    descends: bool
    column: ColumnElement[Any]
    kind: Kind
    nullable: bool

    @property
    def sql(self) -> ColumnElement[Any]:
        if self.descends:
            return self.column.desc().nulls_first() if self.nullable else self.column.desc()
        return self.column.asc().nulls_last() if self.nullable else self.column.asc()

    def same(self, value: Any) -> ColumnElement[bool]:
        return self.column.is_(None) if value is None else self.column == self._bound(value)

    def after(self, value: Any) -> ColumnElement[bool]:
        if self.descends:
            return self.column.is_not(None) if value is None else self.column < self._bound(value)
        if value is None:
            return false()
        beyond = self.column > self._bound(value)
        return or_(beyond, self.column.is_(None)) if self.nullable else beyond

    def _bound(self, value: Any) -> ColumnElement[Any]:
        return literal(value, self.column.type)  # a bare True would not be compared by < and >


class Ordering:
    """The order of one list: as asked for, then by name. Raises FilterError."""

    def __init__(
        self, binding: Binding[Any], filters: Filters, order_by: str | Sequence[str]
    ) -> None:
        self._binding = binding
        self._filters = filters
        wanted = (order_by,) if isinstance(order_by, str) else tuple(order_by)
        self._keys = [self._key(item) for item in wanted]
        if all(key.field != "name" for key in self._keys):
            self._keys.append(self._key("name"))

    @property
    def sql(self) -> list[ColumnElement[Any]]:
        return [key.sql for key in self._keys]

    def cursor(self, last: DocType) -> str:
        """What continues after this document."""
        stored = stored_values(last) or {}
        values = [_plain(stored[key.field]) for key in self._keys]
        text = json.dumps([self._binding.name, self._spelled(), values], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def after(self, cursor: str | None) -> list[ColumnElement[bool]]:
        """What comes after the page that gave the cursor. Raises CursorError."""
        if cursor is None:
            return []
        values = self._values(cursor)
        steps = []
        for depth, key in enumerate(self._keys):
            same = [k.same(v) for k, v in zip(self._keys[:depth], values, strict=False)]
            steps.append(and_(*same, key.after(values[depth])))
        return [or_(*steps)]

    def _key(self, item: str) -> _Key:
        field = str(item).removeprefix("-")
        column = self._filters.column(field)
        kind = self._binding.kinds[field]
        if kind.operand is None or not kind.is_ordered:
            raise FilterError(field, "cannot be ordered by")
        nullable = bool(self._binding.table.c[field].nullable)
        return _Key(field, str(item).startswith("-"), column, kind, nullable)

    def _spelled(self) -> list[str]:
        return [f"-{key.field}" if key.descends else key.field for key in self._keys]

    def _values(self, cursor: str) -> list[Any]:
        doctype, spelled, values = _decoded(cursor)
        if doctype != self._binding.name or spelled != self._spelled():
            raise CursorError("belongs to a list of another kind or in another order")
        if not isinstance(values, list) or len(values) != len(self._keys):
            raise CursorError("is damaged")
        return [self._value(key, value) for key, value in zip(self._keys, values, strict=True)]

    def _value(self, key: _Key, value: Any) -> Any:
        if value is None and key.nullable:
            return None
        try:
            assert key.kind.operand is not None  # noqa: S101 - _key has looked
            return key.kind.operand(value)
        except (ValueError, TypeError, KeyError) as error:
            raise CursorError("is damaged") from error


def _decoded(cursor: str) -> tuple[Any, Any, Any]:
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError("too long")
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
        doctype, spelled, values = json.loads(text)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise CursorError("is damaged") from error
    return doctype, spelled, values


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def checked_limit(limit: object) -> int:
    """Raises FilterError."""
    if type(limit) is not int or not 1 <= limit <= LARGEST_PAGE:
        raise FilterError("limit", f"must be between 1 and {LARGEST_PAGE}")
    return limit


def checked_offset(offset: object, cursor: str | None) -> int:
    """Raises FilterError."""
    if type(offset) is not int or not 0 <= offset < 2**63:
        raise FilterError("offset", "must be 0 or more")
    if offset and cursor is not None:
        raise FilterError("offset", "and a cursor exclude each other")
    return offset
