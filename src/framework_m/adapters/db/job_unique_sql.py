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
_AT_ONCE = 10_000
"""Keys of one statement: drivers bound how many parameters it has."""
_RUNNING = state_bits([JobStatus.RUNNING])


def lock_after(status_bit: Any) -> ColumnElement[Any]:
    """What is left of the lock in a state, which is given as its bit."""
    keeps = _row.unique_states.op("&")(status_bit) != 0
    return case((keeps, _row.unique_lock), else_=null())


def lock_after_end(status: JobStatus) -> ColumnElement[Any]:
    return lock_after(literal_column(str(state_bits([status]))))


async def holders_of(unit: UnitOfWorkProtocol, keys: Collection[str]) -> dict[str, str]:
    """By key the job that has its lock; a lock whose time is over is taken away first."""
    holders: dict[str, str] = {}
    for some in _batches(keys):
        held = _row.unique_lock.in_(some)
        over = update(job_log).where(held, _row.unique_until <= database_now())
        await unit.execute(over.values(unique_lock=None))
        found = await unit.execute(select(_row.unique_lock, _row.name).where(held))
        holders |= dict(found.all())
    return holders


async def give_up(unit: UnitOfWorkProtocol, job_ids: Collection[str]) -> None:
    """Ended jobs that are to run again keep their successors out no longer."""
    for some in _batches(job_ids):
        locked = update(job_log).where(_row.name.in_(some), _row.unique_lock.is_not(None))
        await unit.execute(locked.values(unique_lock=None))


def _batches(all_: Collection[str]) -> Iterator[Sequence[str]]:
    listed = list(all_)
    for start in range(0, len(listed), _AT_ONCE):
        yield listed[start : start + _AT_ONCE]


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
