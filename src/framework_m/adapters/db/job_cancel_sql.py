"""The statements about jobs that are not wanted any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, select, update

from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db.firing_outcomes import LAST_WORDS
from framework_m.adapters.db.job_unique_sql import lock_after_end
from framework_m.adapters.db.schema import database_now, job_log
from framework_m.core.interfaces.job_store import Cancelled, Watched
from framework_m.core.jobs.cancellation import ON_REQUEST
from framework_m.core.jobs.control import Cancel
from framework_m.core.jobs.execution import summary
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy import Select, Update

_row = job_log.c
_OF_A_JOB = (_row.name, _row.job_name, _row.queue, _row.gates)
_TRIES = 5
_ENDED_BY_ITSELF = (JobStatus.SUCCESS.value, JobStatus.CANCELLED.value)


def _cancelled() -> dict[Any, Any]:
    return {
        _row.status: JobStatus.CANCELLED.value,
        _row.error: summary(Cancel(ON_REQUEST)),
        _row.traceback: None,
        _row.completed_at: database_now(),
        _row.updated_at: database_now(),
        _row.lease_until: None,
        _row.blocked_on: None,
        _row.unique_lock: lock_after_end(JobStatus.CANCELLED),
    }


def _end_waiting(job_ids: Collection[str]) -> Update:
    which = and_(_row.name.in_(job_ids), sql.is_waiting())
    return update(job_log).where(which).values(_cancelled()).returning(*_OF_A_JOB)


def _ask_running(job_ids: Collection[str]) -> Update:
    asked_at = func.coalesce(_row.cancel_requested_at, database_now())
    return (
        update(job_log)
        .where(_row.name.in_(job_ids), sql.is_running())
        .values(cancel_requested_at=asked_at)
        .returning(_row.name)
    )


def end_asked(job_ids: Collection[str]) -> Update:
    """Of these, whose run is over one way or another, those that were asked to stop.

    One that succeeded all the same has succeeded.
    """
    which = and_(
        _row.name.in_(job_ids),
        _row.cancel_requested_at.is_not(None),
        _row.status.not_in(_ENDED_BY_ITSELF),
    )
    return update(job_log).where(which).values(_cancelled()).returning(_row.name)


def gone(job_ids: Collection[str]) -> Any:
    return delete(job_log).where(_row.name.in_(job_ids)).returning(*_OF_A_JOB, *LAST_WORDS)


def watched(job_ids: Collection[str]) -> Select[Any]:
    return select(_row.name, _row.claim_no, _row.status, _row.cancel_requested_at).where(
        _row.name.in_(job_ids)
    )


def judged(held: Mapping[str, int], rows: Iterable[Any]) -> Watched:
    """A row that has ended under the claim is one whose outcome was just recorded."""
    there = {row.name: row for row in rows}
    mine = {job for job, row in there.items() if row.claim_no == held[job]}
    asked = frozenset(
        job
        for job in mine
        if there[job].cancel_requested_at is not None
        and there[job].status == JobStatus.RUNNING.value
    )
    return Watched(asked, frozenset(held.keys() - there.keys()), frozenset(there.keys() - mine))


async def cancel(connection: Any, job_ids: Collection[str]) -> tuple[Cancelled, Mapping[str, Any]]:
    """In one transaction; also the rows of those that waited, by id.

    What changes its state meanwhile is looked at again.
    """
    left = set(job_ids)
    waited: dict[str, Any] = {}
    asked: set[str] = set()
    ended: dict[str, JobStatus] = {}
    for _ in range(_TRIES):
        rows = (await connection.execute(_end_waiting(sorted(left)))).all()
        waited |= {row.name: row for row in rows}
        left -= waited.keys()
        asked.update((await connection.execute(_ask_running(sorted(left)))).scalars())
        left -= asked
        rows = (await connection.execute(sql.statuses(sorted(left)))).all()
        found = {row.name: JobStatus(row.status) for row in rows}
        ended |= {job: status for job, status in found.items() if status.is_terminal}
        left = found.keys() - ended.keys()
        if not left:
            break
    return Cancelled(frozenset(waited), frozenset(asked), ended), waited
