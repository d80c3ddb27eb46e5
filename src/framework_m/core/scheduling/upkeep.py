"""Upkeep: the records of schedules that code declares are what the code says."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.core import clock
from framework_m.core.doctypes.scheduled_job import DEFINITION, ScheduledJob
from framework_m.core.errors import (
    ConflictError,
    DuplicateError,
    FrameworkMError,
    InvalidDocumentError,
    NotFoundError,
    UnavailableError,
)
from framework_m.core.scheduling.declared import FRAMEWORK
from framework_m.core.scheduling.keeper import declaring
from framework_m.core.scheduling.rules import timing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from framework_m.core.interfaces.repository import Repositories
    from framework_m.core.interfaces.schedule_declarations import (
        ScheduleDeclarations,
        StoredDeclaration,
    )
    from framework_m.core.interfaces.schedule_store import ScheduleStanding, ScheduleStore
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory
    from framework_m.core.scheduling.declared import Declaration

logger = logging.getLogger(__name__)

_FRESH = timedelta(minutes=3)
"""How long a declaration counts that nobody repeats: some rounds of `declare`."""
_REMEMBERED = 10


class Upkeep:
    """Brings records up to what an application's modules declare, and keeps them so.

    modules: the application's, as it names them: what others declare, in the same database, is
        theirs.

    Processes of two versions may run side by side, as in a deploy. Who comes with a definition
    that was not there before is the newer one, and has its way at once; who has one that was
    replaced, or none, only once nobody has declared the other for minutes.
    """

    def __init__(
        self,
        declared: Mapping[str, Declaration],
        modules: Sequence[str],
        store: ScheduleStore,
        declarations: ScheduleDeclarations,
        units: UnitOfWorkFactory,
        repositories: Repositories,
    ) -> None:
        self.declared = declared
        self._modules = (*modules, FRAMEWORK)
        self._store = store
        self._declarations = declarations
        self._units = units
        self._repositories = repositories

    async def declare(self) -> None:
        """Make, change and delete records; `enabled` stays. Raises UnavailableError.

        To be repeated each minute, by any number of processes at once. What is wrong with one
        record is logged, and spoils no other.
        """
        said = await self._declarations.all(fresh_for=_FRESH)
        known = await self._known()
        confirmed = []
        for name, declaration in self.declared.items():
            stored = said.get(name)
            if _is_outdated(declaration, stored):
                continue
            if _is_said(declaration, stored) and _is_so(known.get(name), declaration):
                confirmed.append(name)
                continue
            with _alone(name):
                await self._declare(name, declaration, stored)
        await self._declarations.confirm(confirmed)
        for standing in await self._store.standings():
            with _alone(standing.name):
                await self._look_after(standing, said.get(standing.name))

    async def _known(self) -> Mapping[str, ScheduledJob]:
        """As far as they can be read."""
        try:
            return await self._repositories(ScheduledJob).get_many(self.declared)
        except InvalidDocumentError:  # somebody went past the checks, to the database itself
            return {}

    async def _declare(
        self, name: str, declaration: Declaration, stored: StoredDeclaration | None
    ) -> None:
        try:
            async with self._units() as unit:
                records = self._repositories(ScheduledJob, unit)
                try:
                    record = await records.get(name, for_update=True)
                except NotFoundError:
                    record = declaration.record.model_copy(deep=True)
                if record.version and record.declared_in is None:
                    module = declaration.module
                    logger.warning("the schedule %r is now what %s declares", name, module)
                await self._declarations.say(
                    unit, name, declaration.definition, _superseded(declaration, stored)
                )
                if _is_so(record, declaration):
                    return
                for field in DEFINITION:
                    setattr(record, field, getattr(declaration.record, field))
                with declaring(declaration.module):
                    await records.save(record)
        except (DuplicateError, ConflictError):
            return  # another process has just done the same

    async def _look_after(
        self, standing: ScheduleStanding, stored: StoredDeclaration | None
    ) -> None:
        """Take away what nobody declares any more, and start again what has stopped."""
        is_declared = standing.name in self.declared or (stored is not None and stored.is_fresh)
        if standing.declared_in is not None and not is_declared:
            await self._withdraw(standing.name)
            return
        if standing.enabled and standing.next_run is None:
            await self._revive(standing)

    async def _withdraw(self, name: str) -> None:
        """It goes if its module is one of ours; else it is nobody's, and becomes its own."""
        async with self._units() as unit:
            records = self._repositories(ScheduledJob, unit)
            try:
                record = await records.get(name, for_update=True)
            except NotFoundError:
                return
            # Asked again, now that it is ours to change: somebody may have come meanwhile.
            module = record.declared_in
            is_free = await self._declarations.forget(unit, name, fresh_for=_FRESH)
            if module is None or not is_free:
                return
            if self._is_ours(module):
                with declaring(module):
                    await records.delete(record)
            else:
                await self._declarations.release(unit, name)
                logger.warning("the schedule %r is its own: nobody has %s any more", name, module)

    async def _revive(self, standing: ScheduleStanding) -> None:
        """It could not be told when it was due, as with a zone that the machine did not know."""
        try:
            times = timing_of(
                standing.cron_expression, standing.timezone, standing.start_date, standing.end_date
            )
        except FrameworkMError:
            return
        next_run = times.after(clock.now())
        if next_run is not None:
            await self._declarations.revive(standing.name, next_run)

    def _is_ours(self, module: str) -> bool:
        return any(module == own or module.startswith(f"{own}.") for own in self._modules)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    try:
        yield
    except UnavailableError:
        raise
    except Exception:
        logger.exception("the schedule %r is not as the code declares it", name)


def _is_said(declaration: Declaration, stored: StoredDeclaration | None) -> bool:
    return stored is not None and stored.definition == declaration.definition


def _is_outdated(declaration: Declaration, stored: StoredDeclaration | None) -> bool:
    """Whether a newer version of the code runs beside this one."""
    return (
        stored is not None
        and stored.is_fresh
        and stored.definition != declaration.definition
        and declaration.definition in stored.superseded
    )


def _superseded(declaration: Declaration, stored: StoredDeclaration | None) -> Sequence[str]:
    if stored is None or stored.definition == declaration.definition:
        return () if stored is None else stored.superseded
    others = (stored.definition, *stored.superseded)
    return [it for it in others if it != declaration.definition][:_REMEMBERED]


def _is_so(record: ScheduledJob | None, declaration: Declaration) -> bool:
    return (
        record is not None
        and record.declared_in == declaration.module
        and all(
            getattr(record, field) == getattr(declaration.record, field) for field in DEFINITION
        )
    )
