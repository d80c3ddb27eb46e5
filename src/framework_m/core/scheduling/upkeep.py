"""Upkeep: the records of schedules that code declares are what the code says."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from framework_m.core.doctypes.scheduled_job import DEFINITION, ScheduledJob
from framework_m.core.errors import (
    ConflictError,
    DuplicateError,
    InvalidDocumentError,
    NotFoundError,
    UnavailableError,
)
from framework_m.core.scheduling.declared import FRAMEWORK
from framework_m.core.scheduling.keeper import declaring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from framework_m.core.interfaces.repository import Repositories
    from framework_m.core.interfaces.schedule_store import ScheduleStore
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory
    from framework_m.core.scheduling.declared import Declaration

logger = logging.getLogger(__name__)


class Upkeep:
    """Brings records up to what an application's modules declare.

    modules: the application's, as it names them: what others declare, in the same database, is
        theirs.
    """

    def __init__(
        self,
        declared: Mapping[str, Declaration],
        modules: Sequence[str],
        store: ScheduleStore,
        units: UnitOfWorkFactory,
        repositories: Repositories,
    ) -> None:
        self.declared = declared
        self._modules = (*modules, FRAMEWORK)
        self._store = store
        self._units = units
        self._repositories = repositories

    async def declare(self) -> None:
        """Make, change and delete records; `enabled` stays. Raises UnavailableError.

        Any number of processes may do so at once. What is wrong with one record is logged, and
        spoils no other.
        """
        known = await self._known()
        for name, declaration in self.declared.items():
            if not _says_so(known.get(name), declaration):
                with _alone(name):
                    await self._declare(name, declaration)
        for standing in await self._store.standings():
            if standing.name not in self.declared and self._is_ours(standing.declared_in):
                with _alone(standing.name):
                    await self._withdraw(standing.name)

    async def _known(self) -> Mapping[str, ScheduledJob]:
        """As far as they can be read."""
        try:
            return await self._repositories(ScheduledJob).get_many(self.declared)
        except InvalidDocumentError:  # somebody went past the checks, to the database itself
            return {}

    async def _declare(self, name: str, declaration: Declaration) -> None:
        try:
            async with self._units() as unit:
                records = self._repositories(ScheduledJob, unit)
                try:
                    record = await records.get(name, for_update=True)
                except NotFoundError:
                    record = declaration.record.model_copy(deep=True)
                for field in DEFINITION:
                    setattr(record, field, getattr(declaration.record, field))
                with declaring(declaration.module):
                    await records.save(record)
        except (DuplicateError, ConflictError):
            return  # another process has just done the same

    async def _withdraw(self, name: str) -> None:
        async with self._units() as unit:
            records = self._repositories(ScheduledJob, unit)
            try:
                record = await records.get(name, for_update=True)
                if self._is_ours(record.declared_in):
                    with declaring(str(record.declared_in)):
                        await records.delete(record)
            except NotFoundError:
                return

    def _is_ours(self, module: str | None) -> bool:
        return module is not None and any(
            module == own or module.startswith(f"{own}.") for own in self._modules
        )


@contextmanager
def _alone(name: str) -> Iterator[None]:
    try:
        yield
    except UnavailableError:
        raise
    except Exception:
        logger.exception("the schedule %r is not as the code declares it", name)


def _says_so(record: ScheduledJob | None, declaration: Declaration) -> bool:
    return (
        record is not None
        and record.declared_in == declaration.module
        and all(
            getattr(record, field) == getattr(declaration.record, field) for field in DEFINITION
        )
    )
