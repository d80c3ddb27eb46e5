"""DocTypes as tables."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic.errors import PydanticUserError
from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, UniqueConstraint, text

from framework_m.adapters.db import schema
from framework_m.adapters.db.annotations import declared
from framework_m.adapters.db.columns import Kind, kind_of
from framework_m.adapters.db.types import exact_default
from framework_m.core.errors import DocTypeError

if TYPE_CHECKING:
    from framework_m.adapters.db.annotations import Declared
    from framework_m.adapters.db.secrets import Cipher
    from framework_m.core.doctypes.meta import DocTypeMeta
    from framework_m.core.doctypes.registry import DocTypeRegistry, RegisteredDocType

# Constraints have names of ours, so that migrations can speak of them and errors can be told.
_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}
_REQUIRED = ("creation", "modified")
_PLAIN = (bool, int, float, str, Decimal, Enum, list, dict)


class Tables:
    """The tables of one application's DocTypes, on one MetaData."""

    def __init__(self, doctypes: DocTypeRegistry, cipher: Cipher) -> None:
        self.metadata = MetaData(naming_convention=_CONVENTION)
        self.doctypes = doctypes
        self._cipher = cipher
        self._tables: dict[str, tuple[Table, dict[str, Kind]]] = {}
        for registered in doctypes:
            self._tables[registered.name] = self._table(registered)

    def table(self, doctype: str) -> Table:
        return self._tables[doctype][0]

    def kinds(self, doctype: str) -> dict[str, Kind]:
        """By field, in the order of the table's columns."""
        return self._tables[doctype][1]

    def _table(self, registered: RegisteredDocType) -> tuple[Table, dict[str, Kind]]:
        if registered.meta.table in schema.metadata.tables:
            raise DocTypeError(
                registered.name,
                f"the table {registered.meta.table} is the framework's own: choose another name "
                f"with Meta.table",
            )
        kinds: dict[str, Kind] = {}
        columns: list[Column[Any]] = []
        for name, field in registered.doctype.model_fields.items():
            said = declared(field)
            kinds[name] = self._kind(registered, name, said)
            columns.append(self._column(registered, name, said, kinds[name]))
        table = Table(
            registered.meta.table,
            self.metadata,
            *columns,
            *(UniqueConstraint(*group) for group in registered.meta.unique),
        )
        for group in _indexes(table, registered.meta):
            Index(None, *(table.c[name] for name in group))
        self._require_comparable(registered, kinds)
        return table, kinds

    def _kind(self, registered: RegisteredDocType, name: str, said: Declared) -> Kind:
        try:
            return kind_of(said, self._cipher)
        except PydanticUserError as error:
            raise DocTypeError(
                registered.name, f"the field {name} has a type that cannot be stored: {error}"
            ) from error

    def _column(
        self, registered: RegisteredDocType, name: str, said: Declared, kind: Kind
    ) -> Column[Any]:
        if name == "name":
            return Column(name, kind.type, primary_key=True)
        links = []
        if said.link is not None:
            target = self.doctypes.get(said.link.target)
            links.append(ForeignKey(f"{target.meta.table}.name"))
        return Column(
            name,
            kind.type,
            *links,
            nullable=said.optional and name not in _REQUIRED,
            server_default=_default(registered, name, kind),
        )

    def _require_comparable(self, registered: RegisteredDocType, kinds: dict[str, Kind]) -> None:
        meta = registered.meta
        for option, groups in (("indexes", meta.indexes), ("unique", meta.unique)):
            for name in (name for group in groups for name in group):
                if kinds[name].operand is None:
                    raise DocTypeError(
                        registered.name, f"Meta.{option}: the field {name} cannot be compared"
                    )
        for name in meta.search_fields:
            if not kinds[name].is_text:
                raise DocTypeError(
                    registered.name, f"Meta.search_fields: the field {name} is no text"
                )


def _indexes(table: Table, meta: DocTypeMeta) -> list[tuple[str, ...]]:
    """Those that were asked for, and one per link: it is searched when a target is deleted."""
    groups = list(dict.fromkeys(meta.indexes))
    led = {group[0] for group in (*groups, *meta.unique)}
    links = (column.name for column in table.c if column.foreign_keys)
    return groups + [(name,) for name in links if name not in led]


def _default(registered: RegisteredDocType, name: str, kind: Kind) -> Any:
    """A plain default is the column's too: rows from before the column, and from older code
    that does not know it, then have it.
    """
    field = registered.doctype.model_fields[name]
    default = field.default_factory() if field.default_factory in (list, dict) else field.default
    if kind.is_secret or not isinstance(default, _PLAIN):
        return None
    try:
        stored = kind.store(default)
    except (ValueError, KeyError, AttributeError):
        return None
    if isinstance(stored, bool):
        return text("true" if stored else "false")
    if isinstance(stored, int | float):
        return text(repr(stored))
    if isinstance(stored, Decimal):
        return exact_default(str(stored))
    quoted = stored.replace("'", "''").replace("\\", "\\\\").replace(":", "\\:")
    return text(f"'{quoted}'")
