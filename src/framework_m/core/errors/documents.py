"""Errors of DocTypes, documents and queries for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.core.errors.base import ConfigurationError, FieldError, FrameworkMError
from framework_m.core.text import nearest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class DocTypeError(ConfigurationError):
    """A DocType or its controller is declared in a way that cannot work."""

    def __init__(self, doctype: str, reason: str) -> None:
        super().__init__(f"DocType {doctype}: {reason}")
        self.doctype = doctype
        self.reason = reason


class DuplicateDocTypeError(DocTypeError):
    """Two DocTypes have one name, two have one table, or one has two controllers."""

    def __init__(self, doctype: str, what: str, first: str, second: str, *, hint: str = "") -> None:
        super().__init__(doctype, f"there are two {what}: {first} and {second}{hint}")
        self.places = (first, second)


class UnknownDocTypeError(DocTypeError):
    """No DocType of this application has this name."""

    def __init__(self, doctype: str, known: Iterable[str] = ()) -> None:
        nearest = nearest_of(doctype, known)
        hint = f"; did you mean {nearest}?" if nearest else ""
        super().__init__(doctype, f"is not in the application's modules{hint}")


class DocumentError(FrameworkMError):
    """Something about one document. `name` is None where it has none yet."""

    def __init__(self, doctype: str, name: str | None, reason: str) -> None:
        super().__init__(f"{doctype} {name!r}: {reason}" if name else f"{doctype}: {reason}")
        self.doctype = doctype
        self.name = name


class InvalidDocumentError(DocumentError):
    """Fields hold what cannot be stored; `errors` has one entry per field."""

    def __init__(self, doctype: str, name: str | None, errors: Sequence[FieldError]) -> None:
        super().__init__(doctype, name, "; ".join(f"{e.field}: {e.message}" for e in errors))
        self.errors = tuple(errors)


class NotFoundError(DocumentError):
    """No document has this name (or it was deleted)."""

    def __init__(self, doctype: str, name: str) -> None:
        super().__init__(doctype, name, "does not exist")


class DuplicateError(DocumentError):
    """Another document has the same name, or the same values in `fields`, which must be unique."""

    def __init__(self, doctype: str, name: str | None, fields: Sequence[str]) -> None:
        told = " and ".join(fields) or "these values"
        super().__init__(doctype, name, f"another one has the same {told}")
        self.fields = tuple(fields)


class ConflictError(DocumentError):
    """The document was saved by somebody else since it was loaded."""

    def __init__(self, doctype: str, name: str, ours: int, theirs: int) -> None:
        super().__init__(
            doctype,
            name,
            f"was saved by somebody else: it is at version {theirs}, not {ours}; load it again",
        )
        self.ours = ours
        self.theirs = theirs


class LinkError(DocumentError):
    """A link leads to nothing, or the document cannot go because others link to it."""

    def __init__(self, doctype: str, name: str | None, errors: Sequence[FieldError]) -> None:
        super().__init__(doctype, name, "; ".join(f"{e.field}: {e.message}" for e in errors))
        self.errors = tuple(errors)


class DocumentStateError(DocumentError):
    """The document's docstatus does not allow this."""

    def __init__(self, doctype: str, name: str | None, status: str, wanted: str) -> None:
        super().__init__(doctype, name, f"is {status}: cannot be {wanted}")
        self.status = status


class QueryError(FrameworkMError):
    """A list of documents was asked for in a way that means nothing."""


class FilterError(QueryError):
    """A filter, an ordering or a search names what is not there or cannot be compared."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.errors = (FieldError(field, reason),)


class CursorError(QueryError):
    """The cursor of a page is damaged, or belongs to another query."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cursor: {reason}")
        self.errors = (FieldError("cursor", reason),)
