"""The DocTypes of one application, found in its modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from framework_m.core.discovery import modules_below
from framework_m.core.doctypes import meta
from framework_m.core.doctypes.base import DocType, place_of
from framework_m.core.doctypes.controller import Controller, doctype_of
from framework_m.core.errors import DuplicateDocTypeError, UnknownDocTypeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from framework_m.core.doctypes.meta import DocTypeMeta


@dataclass(frozen=True, slots=True)
class RegisteredDocType:
    """A DocType with its options resolved."""

    doctype: type[DocType]
    meta: DocTypeMeta
    is_built_in: bool = False
    """Whether it is the framework's own, as is then its table."""

    @property
    def name(self) -> str:
        return self.doctype.__name__


class DocTypeRegistry:
    """DocTypes by name, and their controllers.

    built_in: those of the framework's own, which are there before any is discovered.
    """

    def __init__(self, built_in: Iterable[type[DocType]] = ()) -> None:
        self._doctypes: dict[str, RegisteredDocType] = {}
        self._controllers: dict[str, type[Controller[Any]]] = {}
        for doctype in built_in:
            self._add_doctype(doctype, is_built_in=True)

    def __iter__(self) -> Iterator[RegisteredDocType]:
        return iter(sorted(self._doctypes.values(), key=lambda found: found.name))

    def __len__(self) -> int:
        return len(self._doctypes)

    def discover(self, modules: Iterable[str]) -> None:
        """Import the modules, and those below them, and register what they hold.

        Raises ConfigurationError: a module does not import, a DocType is wrong or there twice.
        """
        for module in modules_below(modules):
            for value in list(vars(module).values()):
                if isinstance(value, type) and issubclass(value, DocType | Controller):
                    self.add(value)

    def add(self, declared: type[DocType] | type[Controller[Any]]) -> None:
        """Register a DocType or a controller; the same one twice is harmless.

        Raises DocTypeError.
        """
        if issubclass(declared, DocType):
            if not meta.is_abstract(declared):
                self._add_doctype(declared)
        else:
            self._add_controller(declared)

    def get(self, doctype: type[DocType] | str) -> RegisteredDocType:
        """Raises UnknownDocTypeError."""
        name = doctype if isinstance(doctype, str) else doctype.__name__
        found = self._doctypes.get(name)
        if found is None or (found.doctype is not doctype and not isinstance(doctype, str)):
            raise UnknownDocTypeError(name, self._doctypes)
        return found

    def controller_of(self, doctype: type[DocType]) -> type[Controller[Any]] | None:
        """Its own controller, or that of the nearest DocType that it extends."""
        for base in doctype.__mro__:
            if base.__name__ in self._controllers:
                found = self._controllers[base.__name__]
                if doctype_of(found) is base:
                    return found
        return None

    def _add_doctype(self, doctype: type[DocType], *, is_built_in: bool = False) -> None:
        known = self._doctypes.get(doctype.__name__)
        if known is not None and known.doctype is not doctype:
            raise _twice(doctype, "DocTypes of this name", known, doctype)
        if known is None:
            added = RegisteredDocType(doctype, meta.resolve(doctype), is_built_in)
            for other in self._doctypes.values():
                if other.meta.table == added.meta.table:
                    what = f"DocTypes with the table {added.meta.table}"
                    raise _twice(doctype, what, other, doctype)
            self._doctypes[added.name] = added

    def _add_controller(self, controller: type[Controller[Any]]) -> None:
        doctype = doctype_of(controller)
        if doctype is None:
            return
        known = self._controllers.setdefault(doctype.__name__, controller)
        if known is controller:
            return
        if issubclass(controller, known):  # extended: the extension counts
            self._controllers[doctype.__name__] = controller
        elif not issubclass(known, controller):
            places = place_of(known), place_of(controller)
            raise DuplicateDocTypeError(doctype.__name__, "controllers", *places)


def _twice(
    doctype: type[DocType], what: str, first: RegisteredDocType, second: type
) -> DuplicateDocTypeError:
    hint = ""
    if first.is_built_in and first.name == doctype.__name__:
        hint = (
            f"; the first is the framework's own: call yours otherwise"
            f' (with `table = "{meta.resolve(doctype).table}"` in its Meta it keeps its table)'
        )
    elif first.is_built_in:
        hint = "; the first is the framework's own: choose another name with Meta.table"
    places = place_of(first.doctype), place_of(second)
    return DuplicateDocTypeError(doctype.__name__, what, *places, hint=hint)
