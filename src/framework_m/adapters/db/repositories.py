"""The repositories of one application."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from framework_m.adapters.db.binding import Binding
from framework_m.adapters.db.document_events import DocumentEvents
from framework_m.adapters.db.document_reader import Surroundings
from framework_m.adapters.db.generic_repository import GenericRepository
from framework_m.adapters.db.guarded_repository import GuardedRepository
from framework_m.adapters.db.hooks import Hooks
from framework_m.core import clock
from framework_m.core.doctypes.base import DocType
from framework_m.core.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.db.tables import Tables
    from framework_m.adapters.db.unit_of_work import UnitOfWork, UnitsOfWork
    from framework_m.core.errors import FieldError
    from framework_m.core.events.service import Events
    from framework_m.core.identity import User
    from framework_m.core.interfaces.record_keeper import RecordKeeper
    from framework_m.core.interfaces.repository import Repository
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol
    from framework_m.core.jobs.service import Jobs

D = TypeVar("D", bound=DocType)
_Made: TypeAlias = tuple[Binding[Any], Hooks, DocumentEvents]


class DocumentRepositories:
    """Makes a GenericRepository for each DocType: the Repositories port.

    keepers: of the records that the framework itself goes by.
    """

    def __init__(
        self,
        database: Database,
        tables: Tables,
        units: UnitsOfWork,
        jobs: Jobs,
        events: Events,
        *,
        keepers: Mapping[type[DocType], RecordKeeper[Any]] | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._surroundings = Surroundings(database, units, now)
        self._tables = tables
        self._jobs = jobs
        self._events = events
        self._keepers = keepers or {}
        self._made: dict[type[DocType], _Made] = {}

    def __call__(
        self,
        doctype: type[D],
        unit: UnitOfWorkProtocol | None = None,
        *,
        as_user: User | None = None,
    ) -> Repository[D]:
        return self._plain(doctype, unit) if as_user is None else self._of(as_user, doctype, unit)

    def _of(
        self, user: User, doctype: type[D], unit: UnitOfWorkProtocol | None
    ) -> GuardedRepository[D]:
        def readable(name: str) -> GuardedRepository[Any]:
            return self._of(user, self._tables.doctypes.get(name).doctype, unit)

        return GuardedRepository(self._plain(doctype, unit), user, readable)

    def _plain(self, doctype: type[D], unit: UnitOfWorkProtocol | None) -> GenericRepository[D]:
        made = self._made.get(doctype) or self._make(doctype)
        joined = cast("UnitOfWork | None", unit)
        return GenericRepository[D](self._surroundings, *made, joined)

    def faults(self, document: DocType) -> Sequence[FieldError]:
        """What its keeper finds wrong with it, if it has one."""
        keeper = self._keepers.get(type(document))
        return () if keeper is None else keeper.faults(document)

    def transaction(self, unit: UnitOfWorkProtocol) -> Transaction:
        """The unit of work as users and controllers see it."""
        return Transaction(unit, self, self._jobs, self._events)

    def _make(self, doctype: type[DocType]) -> _Made:
        doctypes = self._tables.doctypes
        registered = doctypes.get(doctype)
        table, kinds = self._tables.table(registered.name), self._tables.kinds(registered.name)
        binding = Binding(doctype, registered.meta, table, kinds)
        controller, keeper = doctypes.controller_of(doctype), self._keepers.get(doctype)
        hooks = Hooks(controller, self.transaction, self._events, keeper)
        made = binding, hooks, DocumentEvents(binding, self._events)
        self._made[doctype] = made
        return made
