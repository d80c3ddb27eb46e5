"""Running a controller's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework_m.core.doctypes.controller import overridden

if TYPE_CHECKING:
    from collections.abc import Callable

    from framework_m.core.doctypes.base import DocType
    from framework_m.core.doctypes.controller import Controller
    from framework_m.core.events.service import Events
    from framework_m.core.interfaces.record_keeper import RecordKeeper
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol
    from framework_m.core.transaction import Transaction

_WRITING = ("before_insert", "before_update")
_WRITTEN = ("after_insert", "after_update")


class Hooks:
    """The hooks of one DocType: its controller's, and of a built-in one its keeper's."""

    def __init__(
        self,
        controller: type[Controller[Any]] | None,
        transaction: Callable[[UnitOfWorkProtocol], Transaction],
        events: Events,
        keeper: RecordKeeper[Any] | None = None,
    ) -> None:
        self._controller = controller
        self._transaction = transaction
        self._events = events
        self._keeper = keeper
        self._wanted = overridden(controller) if controller else frozenset[str]()

    def of(self, document: DocType, unit: UnitOfWorkProtocol) -> HookRun:
        """For one change of one document."""
        controller = None
        if self._wanted and self._controller is not None:
            controller = self._controller(document, self._transaction(unit), self._events)
        return HookRun(document, controller, self._wanted, unit, self._keeper)

    @property
    def mind_deletions(self) -> bool:
        return self._keeper is not None or not self._wanted.isdisjoint(
            ("before_delete", "after_delete")
        )


class HookRun:
    """The hooks around one change."""

    def __init__(
        self,
        document: DocType,
        controller: Controller[Any] | None,
        wanted: frozenset[str],
        unit: UnitOfWorkProtocol,
        keeper: RecordKeeper[Any] | None,
    ) -> None:
        self._document = document
        self._controller = controller
        self._wanted = wanted
        self._unit = unit
        self._keeper = keeper
        self.has_run = False

    async def __call__(self, hook: str) -> None:
        """Whatever it raises, the transaction will not commit, even if the caller goes on."""
        if hook not in self._wanted and self._keeper is None:
            return
        self.has_run = self.has_run or hook in self._wanted
        try:
            if hook in self._wanted:
                await getattr(self._controller, hook)()
            if self._keeper is not None:
                await self._keep(self._keeper, hook)
        except BaseException as error:
            self._unit.fail(error)
            raise

    def tell_changed(self, changed: frozenset[str]) -> None:
        if self._controller is not None:
            self._controller.changed = changed

    async def _keep(self, keeper: RecordKeeper[Any], hook: str) -> None:
        """Last of all before it is written, so that no controller gets past it."""
        if hook in _WRITING:
            await keeper.prepare(self._document, self._unit)
        elif hook in _WRITTEN:
            self._unit.after_commit(keeper.changed(self._document))
        elif hook == "before_delete":
            keeper.require_removable(self._document)
        elif hook == "after_delete":
            self._unit.after_commit(keeper.removed(self._document))
