"""Writing new jobs in the caller's transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, String, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from framework_m.adapters.db.job_unique_sql import give_up, holders_of, worth_another_try
from framework_m.adapters.db.schema import UtcDateTime, database_now, job_log, job_tag
from framework_m.core.errors import DatabaseUnavailableError, JobExistsError
from framework_m.core.jobs.states import JobStatus
from framework_m.core.jobs.unique import state_bits
from framework_m.core.text import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.job_store import NewJob
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol
    from framework_m.core.jobs.unique import UniqueLock

_Statements = dict[str, Any]
_AT_ONCE, _DELAYED, _LATER = "at once", "delayed", "later"
_TRIES = 10


def _values(new: Any) -> Any:
    return new.values(
        enqueued_at=database_now(),
        scheduled_at=database_now(),
        updated_at=database_now(),
        attempt=0,
        claim_no=0,
        rescues=0,
        due_at=bindparam("due_time", type_=UtcDateTime()),
    )


def _statements(new: Any) -> _Statements:
    return {
        _AT_ONCE: new,
        _DELAYED: new.values(scheduled_at=_AFTER_DELAY),
        _LATER: new.values(scheduled_at=_DUE_AT),
    }


def _only_ones(new: Any) -> Any:
    """For jobs that others may keep out: those come to nothing.

    One statement, whenever they are due: only so are all of them written in the order of keys.
    """
    lock = job_log.c.unique_lock
    only = _values(new).values(
        scheduled_at=func.coalesce(_DUE_AT, _AFTER_DELAY),
        unique_until=database_now(bindparam("lasts", type_=Float)),
    )
    only = only.on_conflict_do_nothing(index_elements=[lock], index_where=lock.is_not(None))
    return only.returning(job_log.c.name)


_AFTER_DELAY = database_now(bindparam("delay", type_=Float))
_DUE_AT = bindparam("due_at", type_=UtcDateTime())
_NEW = _statements(_values(insert(job_log)))
_NEW_ONLY = {
    True: _only_ones(postgresql.insert(job_log)),
    False: _only_ones(sqlite.insert(job_log)),
}

_NEW_TAG = insert(job_tag).from_select(
    ("tag", "enqueued_at", "job_id"),
    select(bindparam("new_tag", type_=String), job_log.c.enqueued_at, job_log.c.name).where(
        job_log.c.name == bindparam("job_id")
    ),
)


async def insert_jobs(
    unit: UnitOfWorkProtocol, jobs: Sequence[NewJob], *, is_postgresql: bool
) -> Sequence[str]:
    """The id of each: its own, or that of the job that keeps it out.

    Raises DatabaseUnavailableError, JobExistsError (an id that was chosen elsewhere).
    """
    try:
        return await _insert_all(unit, jobs, is_postgresql=is_postgresql)
    except IntegrityError as error:  # nothing but their ids can be in the way
        raise JobExistsError([job.job_id for job in jobs]) from error


async def _insert_all(
    unit: UnitOfWorkProtocol, jobs: Sequence[NewJob], *, is_postgresql: bool
) -> Sequence[str]:
    free = [job for job in jobs if job.unique is None]
    await _insert(unit, _NEW, free)
    await _tag(unit, free)
    # In one order, so that no two transactions wait for each other.
    locked = sorted((job for job in jobs if job.unique is not None), key=_key)
    if not locked:
        return [job.job_id for job in jobs]
    with worth_another_try():
        await give_up(unit, [job.retry_of for job in locked if job.retry_of])
        holders = await _insert_only(unit, _NEW_ONLY[is_postgresql], locked)
    await _tag(unit, [job for job in locked if holders[_key(job)] == job.job_id])
    return [job.job_id if job.unique is None else holders[_key(job)] for job in jobs]


async def _insert_only(
    unit: UnitOfWorkProtocol, statement: Any, jobs: Sequence[NewJob]
) -> dict[str, str]:
    """By key: the one job that has it."""
    left: dict[str, NewJob] = {}
    for job in jobs:
        left.setdefault(_key(job), job)
    holders: dict[str, str] = {}
    for _ in range(_TRIES):
        result = await unit.execute(
            statement, [_only_row(job, job.unique) for job in left.values() if job.unique]
        )
        written = set(result.scalars())
        holders |= {key: job.job_id for key, job in left.items() if job.job_id in written}
        kept_out = [key for key in left if key not in holders]
        if kept_out:
            holders |= await holders_of(unit, kept_out)
        # Who is left was kept out by a job that has ended, or whose time was over.
        left = {key: job for key, job in left.items() if key not in holders}
        if not left:
            return holders
    key = next(iter(left))
    raise DatabaseUnavailableError(f"try again: the unique key {key!r} changes hands all the time")


async def _insert(
    unit: UnitOfWorkProtocol, statements: _Statements, jobs: Sequence[NewJob]
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for job in jobs:
        rows.setdefault(_kind(job), []).append(_row(job))
    for kind, some in rows.items():
        await unit.execute(statements[kind], some)


async def _tag(unit: UnitOfWorkProtocol, jobs: Sequence[NewJob]) -> None:
    """The moment is that of the job's own row: the database has chosen it."""
    rows = [
        {"new_tag": tag, "job_id": job.job_id}
        for job in jobs
        for tag in sorted({storable(tag) for tag in job.tags})
    ]
    if rows:
        await unit.execute(_NEW_TAG, rows)


def _key(job: NewJob) -> str:
    return "" if job.unique is None else job.unique.key


def _kind(job: NewJob) -> str:
    if job.delay is not None:
        return _DELAYED
    return _AT_ONCE if job.due_at is job.ready_since is None else _LATER


def _row(job: NewJob) -> dict[str, Any]:
    later: dict[str, Any] = {}
    if job.delay is not None:
        later = {"delay": job.delay.total_seconds()}
    elif job.due_at is not None:
        later = {"due_at": job.due_at}
    since = {} if job.ready_since is None else {"due_at": job.ready_since}
    return {
        **later,
        **since,
        "name": job.job_id,
        "job_name": job.job_name,
        "queue": job.queue,
        "priority": job.priority,
        "status": (JobStatus.SCHEDULED if later else JobStatus.QUEUED).value,
        "args": job.args,
        "max_attempts": job.max_attempts,
        "user_id": None if job.user is None else job.user.id,
        "user_roles": None if job.user is None else json.dumps(sorted(job.user.roles)),
        "parent_id": job.cause.job_id,
        "correlation_id": job.cause.correlation_id,
        "trace_context": job.cause.trace_context,
        "tags": json.dumps(job.tags) if job.tags else None,
        "retry_of": job.retry_of,
        "schedule": job.schedule,
        "due_time": job.due_time,
        "gates": json.dumps(job.gates) if job.gates else None,
        "blocked_on": job.blocked_on,
    }


def _only_row(job: NewJob, lock: UniqueLock) -> dict[str, Any]:
    return {
        "delay": 0.0,
        "due_at": None,
        **_row(job),
        "unique_key": lock.key,
        "unique_lock": lock.key,
        "unique_states": state_bits(lock.states),
        "lasts": None if lock.lasts is None else lock.lasts.total_seconds(),
    }
