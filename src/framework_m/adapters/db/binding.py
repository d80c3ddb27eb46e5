"""Documents as rows, and rows as documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from framework_m.core.doctypes.base import DocType, remember_stored, stored_values
from framework_m.core.errors import FieldError, InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

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
        self._fields = tuple(kinds)
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
        values = stored
        if self._loads:
            values = {**stored}
            for name, load in self._loads:
                if stored[name] is not None:
                    values[name] = self._loaded(stored, name, load)
            stored = self._comparable(stored, values)
        else:
            stored = {**values}
        return self._document(values, stored)

    def _document(self, values: dict[str, Any], stored: dict[str, Any]) -> D:
        # What model_construct does, less its care for defaults and aliases.
        document = self.doctype.__new__(self.doctype)
        object.__setattr__(document, "__dict__", values)
        object.__setattr__(document, "__pydantic_fields_set__", set(self._fields))
        object.__setattr__(document, "__pydantic_extra__", None)
        object.__setattr__(document, "__pydantic_private__", None)
        if self.doctype.__pydantic_post_init__:
            document.model_post_init(None)
        remember_stored(document, stored)
        return document

    def _loaded(self, stored: dict[str, Any], name: str, load: Callable[[Any], Any]) -> Any:
        try:
            return load(stored[name])
        except _UNFIT as error:
            reason = f"what is stored is no longer of its type ({_reason(error)})"
            raise InvalidDocumentError(
                self.name, stored["name"], [FieldError(name, reason)]
            ) from error

    def _comparable(self, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """A row that can be compared: the same secret is another text each time."""
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
