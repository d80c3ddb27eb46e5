"""Running a controller's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework_m.core.doctypes.controller import overridden

if TYPE_CHECKING:
    from collections.abc import Callable

    from framework_m.core.doctypes.base import DocType
    from framework_m.core.doctypes.controller import Controller
    from framework_m.core.events.service import Events
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol
    from framework_m.core.transaction import Transaction


class Hooks:
    """The hooks of one DocType."""

    def __init__(
        self,
        controller: type[Controller[Any]] | None,
        transaction: Callable[[UnitOfWorkProtocol], Transaction],
        events: Events,
    ) -> None:
        self._controller = controller
        self._transaction = transaction
        self._events = events
        self._wanted = overridden(controller) if controller else frozenset[str]()

    def of(self, document: DocType, unit: UnitOfWorkProtocol) -> HookRun:
        """For one change of one document."""
        controller = None
        if self._wanted and self._controller is not None:
            controller = self._controller(document, self._transaction(unit), self._events)
        return HookRun(controller, self._wanted, unit)

    def any_of(self, *hooks: str) -> bool:
        return not self._wanted.isdisjoint(hooks)


class HookRun:
    """The hooks around one change."""

    def __init__(
        self,
        controller: Controller[Any] | None,
        wanted: frozenset[str],
        unit: UnitOfWorkProtocol,
    ) -> None:
        self._controller = controller
        self._wanted = wanted
        self._unit = unit
        self.has_run = False

    async def __call__(self, hook: str) -> None:
        """Whatever it raises, the transaction will not commit, even if the caller goes on."""
        if hook not in self._wanted:
            return
        self.has_run = True
        try:
            await getattr(self._controller, hook)()
        except BaseException as error:
            self._unit.fail(error)
            raise

    def tell_changed(self, changed: frozenset[str]) -> None:
        if self._controller is not None:
            self._controller.changed = changed
