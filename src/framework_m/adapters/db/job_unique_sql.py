"""The statements about unique locks: who has one, and when it is given up."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, literal_column, null, select, update
from sqlalchemy.exc import DBAPIError

from framework_m.adapters.db.schema import database_now, job_log
from framework_m.core.errors import DatabaseUnavailableError
from framework_m.core.jobs.states import JobStatus
from framework_m.core.jobs.unique import state_bits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import ColumnElement

    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_row = job_log.c
_RUNNING = state_bits([JobStatus.RUNNING])


def lock_after(status_bit: Any) -> ColumnElement[Any]:
    """What is left of the lock in a state, which is given as its bit."""
    keeps = _row.unique_states.op("&")(status_bit) != 0
    return case((keeps, _row.unique_lock), else_=null())


def lock_after_end(status: JobStatus) -> ColumnElement[Any]:
    return lock_after(literal_column(str(state_bits([status]))))


async def holders_of(unit: UnitOfWorkProtocol, keys: Collection[str]) -> dict[str, str]:
    """By key the job that has its lock; a lock whose time is over is taken away first."""
    held = _row.unique_lock.in_(keys)
    over = update(job_log).where(held, _row.unique_until <= database_now())
    await unit.execute(over.values(unique_lock=None))
    found = await unit.execute(select(_row.unique_lock, _row.name).where(held))
    return dict(found.all())


async def release_at_start(connection: Any, rows: Sequence[Any]) -> None:
    """Jobs that begin to run: those that keep nobody out while they do give up their locks."""
    begun = [row.name for row in rows if row.unique_lock and not row.unique_states & _RUNNING]
    if begun:
        names = _row.name.in_(begun)
        await connection.execute(update(job_log).where(names).values(unique_lock=None))


@contextlib.contextmanager
def worth_another_try() -> Iterator[None]:
    """A deadlock, or a conflict of serializable transactions, is nobody's fault."""
    try:
        yield
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", "")).startswith("40"):
            raise DatabaseUnavailableError(f"try again: {error.orig}") from error
        raise
