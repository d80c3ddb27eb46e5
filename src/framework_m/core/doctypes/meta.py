"""What `class Meta` inside a DocType may say, resolved and checked."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from framework_m.core.doctypes import naming
from framework_m.core.doctypes.base import BASE_FIELDS, DocType
from framework_m.core.errors import DocTypeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ACTIONS = frozenset({"read", "create", "write", "delete", "submit", "cancel"})

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class DocTypeMeta:
    """The options of one DocType. Each is written under its name in `class Meta`."""

    table: str
    """The table's name; the class's in snake_case by default."""
    naming: naming.NamingRule = field(default_factory=naming.Uuid7)
    """Where names come from; see `framework_m.core.doctypes.naming`."""
    submittable: bool = False
    """Whether documents can be submitted, after which they cannot change, and cancelled."""
    permissions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Role → actions, for what comes from outside: read create write delete submit cancel.

    `read:own` is to read what the user has created; who may submit may cancel. Without any, only
    the role System Manager may do anything.
    """
    api_resource: bool = False
    """Whether it is served over HTTP."""
    indexes: tuple[tuple[str, ...], ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    search_fields: tuple[str, ...] = ()
    """Text fields that `list(search=…)` looks in; the name by default."""
    list_columns: tuple[str, ...] = ()
    """What a table of these documents shows; the name by default."""
    events: bool = True
    """Whether every change publishes an event: doc.created and its like."""
    event_fields: tuple[str, ...] = ()
    """The fields whose values such an event tells; by default it names the document only."""
    retention: timedelta | None = None
    """How long after its creation a document is worth keeping; for ever by default."""


_OPTIONS = frozenset(DocTypeMeta.__dataclass_fields__) | {"abstract"}
_OWN = ("table", "abstract")  # never inherited: each class has a table of its own


def is_abstract(doctype: type[DocType]) -> bool:
    """Whether it has no table and only lends its fields: `abstract = True`."""
    meta = doctype.__dict__.get("Meta")
    return doctype is DocType or bool(vars(meta).get("abstract") if meta else False)


def resolve(doctype: type[DocType]) -> DocTypeMeta:
    """The DocType's options. Raises DocTypeError."""
    name = doctype.__name__
    said = _said(doctype)
    table = said.get("table", _HUMP.sub("_", name).lower())
    if not isinstance(table, str) or not _IDENTIFIER.fullmatch(table):
        raise DocTypeError(name, f"Meta.table {table!r} is no name for a table")
    meta = DocTypeMeta(
        table=table,
        naming=naming.parse(name, said.get("naming", "uuid7")),
        submittable=_flag(name, said, "submittable"),
        permissions=_permissions(name, said.get("permissions", {})),
        api_resource=_flag(name, said, "api_resource"),
        indexes=_groups(name, "indexes", said.get("indexes", ())),
        unique=_groups(name, "unique", said.get("unique", ())),
        search_fields=_texts(name, "search_fields", said.get("search_fields", ("name",))),
        list_columns=_texts(name, "list_columns", said.get("list_columns", ("name",))),
        events=_flag(name, said, "events", default=True),
        event_fields=_texts(name, "event_fields", said["event_fields"])
        if said.get("event_fields")
        else (),
        retention=_retention(name, said.get("retention")),
    )
    _require_fields(doctype, meta)
    return meta


def _said(doctype: type[DocType]) -> dict[str, Any]:
    meta = getattr(doctype, "Meta", None)
    if meta is None:
        return {}
    said: dict[str, Any] = {}
    for declared in reversed(meta.__mro__[:-1]):
        said.update({k: v for k, v in vars(declared).items() if not k.startswith("_")})
    for option in _OWN:
        said.pop(option, None)
    own = doctype.__dict__.get("Meta")
    said.update({k: v for k, v in vars(own).items() if k in _OWN} if own else {})
    for option in said.keys() - _OPTIONS:
        near = difflib.get_close_matches(option, _OPTIONS, n=1)
        hint = f"; did you mean {near[0]}?" if near else f" (there are {', '.join(_OPTIONS)})"
        raise DocTypeError(doctype.__name__, f"Meta has no option {option}{hint}")
    # A function in a class body is a function; staticmethod only says so to readers.
    rule = said.get("naming")
    return {**said, "naming": rule.__func__} if isinstance(rule, staticmethod) else said


def _flag(doctype: str, said: Mapping[str, Any], option: str, *, default: bool = False) -> bool:
    value = said.get(option, default)
    if not isinstance(value, bool):
        raise DocTypeError(doctype, f"Meta.{option} must be True or False")
    return value


def _permissions(doctype: str, value: Any) -> Mapping[str, frozenset[str]]:
    try:
        allowed = {str(role): frozenset(_listed(actions)) for role, actions in value.items()}
    except (AttributeError, TypeError):
        raise DocTypeError(
            doctype, 'Meta.permissions must be like {"Accountant": ["read", "write"]}'
        ) from None
    for role, actions in allowed.items():
        unknown = {action for action in actions if str(action).removesuffix(":own") not in ACTIONS}
        if unknown:
            wrong = ", ".join(sorted(map(str, unknown)))
            raise DocTypeError(
                doctype,
                f"Meta.permissions[{role!r}]: {wrong}: is none of {', '.join(sorted(ACTIONS))}",
            )
    return MappingProxyType(allowed)


def _groups(doctype: str, option: str, value: Any) -> tuple[tuple[str, ...], ...]:
    """`["a", ("b", "c")]` → `(("a",), ("b", "c"))`"""
    return tuple(_texts(doctype, option, group) for group in _listed(value))


def _texts(doctype: str, option: str, value: Any) -> tuple[str, ...]:
    names = _listed(value)
    if not names or not all(isinstance(name, str) for name in names):
        raise DocTypeError(doctype, f"Meta.{option} must hold names of fields")
    return names


def _listed(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _retention(doctype: str, value: Any) -> timedelta | None:
    if value is not None and (not isinstance(value, timedelta) or value <= timedelta()):
        raise DocTypeError(doctype, "Meta.retention must be a timedelta above 0")
    return value


def _require_fields(doctype: type[DocType], meta: DocTypeMeta) -> None:
    known = doctype.model_fields
    used: dict[str, Iterable[str]] = {
        "naming": naming.fields_of(meta.naming),
        "indexes": (name for group in meta.indexes for name in group),
        "unique": (name for group in meta.unique for name in group),
        "search_fields": meta.search_fields,
        "list_columns": meta.list_columns,
        "event_fields": meta.event_fields,
    }
    for option, names in used.items():
        for name in names:
            if name not in known:
                raise DocTypeError(doctype.__name__, f"Meta.{option}: there is no field {name}")
    if "changed" in meta.event_fields:
        raise DocTypeError(doctype.__name__, "Meta.event_fields: changed is the event's own")
    for name in known:
        if not _IDENTIFIER.fullmatch(name):
            raise DocTypeError(doctype.__name__, f"the field {name} has no name for a column")
    if doctype.model_config.get("extra") == "allow":
        raise DocTypeError(doctype.__name__, 'extra="allow": what is no field has no column')
    for name in BASE_FIELDS:
        if known[name].annotation != DocType.model_fields[name].annotation:
            raise DocTypeError(doctype.__name__, f"the field {name} is every DocType's own")
