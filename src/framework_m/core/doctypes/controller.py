"""Controller: what happens around the life of a document."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin

from framework_m.core.doctypes.base import DocType
from framework_m.core.errors import DocTypeError

if TYPE_CHECKING:
    from framework_m.core.events.service import Events
    from framework_m.core.transaction import Transaction

D = TypeVar("D", bound=DocType)

HOOKS = (
    "validate",
    "before_insert",
    "after_insert",
    "before_update",
    "after_update",
    "before_delete",
    "after_delete",
    "before_submit",
    "after_submit",
    "before_cancel",
    "after_cancel",
)


class Controller(Generic[D]):
    """The hooks of one DocType: subclass it in one of the application's modules.

        class InvoiceController(Controller[Invoice]):
            async def validate(self) -> None:
                if self.doc.due < self.doc.issued:
                    raise InvoiceError("is due before it is issued")

            async def after_insert(self) -> None:
                await self.unit.enqueue(send_invoice, name=self.doc.name)

    One is made for each insert, update, delete, submit and cancel. Hooks run inside the
    transaction of the change, and whatever a hook raises rolls that transaction back. Before
    hooks may change `self.doc`; changes by after hooks are not stored unless saved.

    insert: validate, before_insert, (named and written), after_insert
    save: validate, before_update, (written), after_update
    submit, cancel: validate, before_…, (written), after_…
    delete: before_delete, (deleted), after_delete
    """

    doc: D
    """The document."""
    unit: Transaction
    """The transaction of the change: its repositories, `enqueue`, `nested`."""
    event_bus: Events | None = None
    """Where events are published, in the transaction of the change: `app.events`."""
    changed: frozenset[str] = frozenset()
    """In after_update: the fields whose stored values changed."""

    def __init__(self, doc: D, unit: Transaction, event_bus: Events | None = None) -> None:
        self.doc = doc
        self.unit = unit
        self.event_bus = event_bus

    async def validate(self) -> None:
        """Raise what is wrong with the document as a whole."""

    async def before_insert(self) -> None: ...
    async def after_insert(self) -> None: ...
    async def before_update(self) -> None: ...
    async def after_update(self) -> None: ...
    async def before_delete(self) -> None: ...
    async def after_delete(self) -> None: ...
    async def before_submit(self) -> None: ...
    async def after_submit(self) -> None: ...
    async def before_cancel(self) -> None: ...
    async def after_cancel(self) -> None: ...


def doctype_of(controller: type[Controller[Any]]) -> type[DocType] | None:
    """The DocType that a controller is for; None if it leaves that to a subclass.

    Raises DocTypeError for a hook that is not async.
    """
    found = _argument(controller)
    if found is None:
        return None
    for hook in HOOKS:
        if not inspect.iscoroutinefunction(getattr(controller, hook)):
            raise DocTypeError(found.__name__, f"{controller.__qualname__}.{hook} must be async")
    return found


def _argument(controller: type[Any]) -> type[DocType] | None:
    for base in controller.__mro__:
        for generic in base.__dict__.get("__orig_bases__", ()):
            if get_origin(generic) in controller.__mro__:
                for argument in get_args(generic):
                    if isinstance(argument, type) and issubclass(argument, DocType):
                        return argument
    return None


def overridden(controller: type[Controller[Any]]) -> frozenset[str]:
    """The hooks that it has: the others need not be called."""
    return frozenset(
        hook for hook in HOOKS if getattr(controller, hook) is not getattr(Controller, hook)
    )
