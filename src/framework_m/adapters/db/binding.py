"""Documents as rows, and rows as documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import bindparam, insert, select

from framework_m.adapters.db.event_outbox import insert_told
from framework_m.core.doctypes.base import DocType, remember_stored, stored_values
from framework_m.core.errors import FieldError, InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Table

    from framework_m.adapters.db.columns import Kind
    from framework_m.core.doctypes.meta import DocTypeMeta

D = TypeVar("D", bound=DocType)

_UNFIT = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Binding(Generic[D]):
    """One DocType and its table."""

    def __init__(
        self, doctype: type[D], meta: DocTypeMeta, table: Table, kinds: dict[str, Kind]
    ) -> None:
        self.doctype = doctype
        self.meta = meta
        self.table = table
        self.kinds = kinds
        # Made once: SQLAlchemy then finds their compiled form at once.
        self.all = select(*table.c)
        self.by_name = self.all.where(table.c.name == bindparam("wanted"))
        self.insert = insert(table)
        self.insert_told = insert_told(table)
        self._fields = tuple(kinds)
        self._has_secrets = any(kind.is_secret for kind in kinds.values())
        self._loads = tuple((name, kind.load) for name, kind in kinds.items() if kind.load)
        self._nullable = {name: bool(table.c[name].nullable) for name in kinds}

    @property
    def name(self) -> str:
        return self.doctype.__name__

    def row(self, document: D, *, unknown: Collection[str] = ()) -> dict[str, Any]:
        """The values for the columns. Raises InvalidDocumentError with every field at fault.

        unknown: fields that may be empty because they are not written.
        """
        row: dict[str, Any] = {}
        errors: list[FieldError] = []
        held = document.__dict__
        for name, kind in self.kinds.items():
            value = held[name]
            try:
                if value is None and not self._nullable[name] and name not in unknown:
                    raise ValueError("cannot be empty")
                row[name] = None if value is None else kind.store(value)
            except _UNFIT as error:
                errors.append(FieldError(name, _reason(error)))
        if errors:
            raise InvalidDocumentError(self.name, document.name, errors)
        return row

    def settled(self, document: D, row: dict[str, Any]) -> dict[str, Any]:
        """The values of a row as the document will hold them once it is stored."""
        values: dict[str, Any] = {**row}
        errors: list[FieldError] = []
        for name, load in self._loads:
            value = document.__dict__[name]
            if self.kinds[name].is_secret or value is None:
                values[name] = value
                continue
            try:
                loaded = load(row[name])
            except _UNFIT as error:  # it writes what it does not read
                errors.append(FieldError(name, _reason(error)))
                continue
            # The user may hold on to a list or a model that is in the document.
            values[name] = value if loaded == value else loaded
        if errors:
            raise InvalidDocumentError(self.name, document.name, errors)
        return values

    def settle(self, document: D, row: dict[str, Any], values: dict[str, Any]) -> None:
        """Let the document hold what the database holds now."""
        document.__dict__.update(values)
        remember_stored(document, self._comparable(row, values))

    def changed(self, document: D, row: dict[str, Any]) -> frozenset[str]:
        """The fields whose stored values a save would change; all, where those are not known."""
        stored = stored_values(document)
        if stored is None:
            return frozenset(self._fields)
        now = self._comparable(row, document.__dict__)
        return frozenset(name for name in self._fields if now[name] != stored[name])

    def load(self, row: Sequence[Any]) -> D:
        """A stored document. Not validated again: it was when it was saved.

        Raises InvalidDocumentError (a stored value is none of its type's, as when a choice was
        removed), SecretKeyError.
        """
        stored: dict[str, Any] = dict(zip(self._fields, row, strict=True))
        values = stored.copy()
        for name, load in self._loads:
            value = stored[name]
            if value is not None:
                try:
                    values[name] = load(value)
                except _UNFIT as error:
                    raise self._unreadable(stored, name, error) from error
        return self._document(values, self._comparable(stored, values))

    def _document(self, values: dict[str, Any], stored: dict[str, Any]) -> D:
        # What model_construct does, less its care for defaults and aliases.
        document = self.doctype.__new__(self.doctype)
        put = object.__setattr__
        put(document, "__dict__", values)
        put(document, "__pydantic_fields_set__", set(self._fields))
        put(document, "__pydantic_extra__", None)
        put(document, "__pydantic_private__", None)
        if self.doctype.__pydantic_post_init__:
            document.model_post_init(None)
        remember_stored(document, stored)
        return document

    def _unreadable(
        self, stored: dict[str, Any], name: str, error: BaseException
    ) -> InvalidDocumentError:
        reason = f"what is stored is no longer of its type ({_reason(error)})"
        return InvalidDocumentError(self.name, stored["name"], [FieldError(name, reason)])

    def _comparable(self, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """A row that can be compared: the same secret is another text each time."""
        if not self._has_secrets:
            return row
        return {
            name: values[name] if self.kinds[name].is_secret else row[name] for name in self._fields
        }


def _reason(error: BaseException) -> str:
    """What is wrong, in one line, without the value: it may be a secret."""
    errors = getattr(error, "errors", None)
    if callable(errors):
        found = errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(
            ": ".join([".".join(map(str, item["loc"])), item["msg"]]).removeprefix(": ")
            for item in found
        )
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return str(error).partition("\n")[0]
    return f"does not fit its type ({type(error).__name__})"
