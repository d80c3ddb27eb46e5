"""The statements about jobs whose worker died, or whose function nobody knows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Insert, Text, case, insert, literal, literal_column, null, select, update

from framework_m.adapters.db.job_unique_sql import lock_after_end
from framework_m.adapters.db.schema import database_now, job_attempt, job_log
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Select, Update

_row = job_log.c
_ATTEMPT_COLUMNS = (
    "job_id",
    "claim_no",
    "attempt",
    "worker",
    "started_at",
    "ended_at",
    "error",
    "traceback",
)


def attempts(error: ColumnElement[Any], traceback: Any, which: ColumnElement[bool]) -> Insert:
    """Keep what the rows say of the runs that end just now."""
    columns = (_row.name, _row.claim_no, _row.attempt, _row.worker, _row.started_at)
    ended = select(*columns, database_now(), error, traceback).where(which)
    return insert(job_attempt).from_select(_ATTEMPT_COLUMNS, ended)


def lapsed(limit: int) -> Select[Any]:
    """Running rows that nobody renews any more, with the crashes that are theirs to answer for."""
    crashes = _row.crashes + case((_row.is_alone, 1), else_=0)
    return (
        select(_row.name, _row.worker, crashes.label("crashes"))
        .where(
            # Spelled out, as in job_log_sql: only so does every plan use the partial index.
            _row.status == literal_column("'Running'"),
            _row.lease_until < database_now(),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def by_worker(rows: Iterable[Any]) -> Mapping[str | None, Sequence[str]]:
    """The ids of the jobs that each of the dead has left."""
    left: dict[str | None, list[str]] = defaultdict(list)
    for row in rows:
        left[row.worker].append(row.name)
    return left


def crashed_attempts(error: str, job_ids: Collection[str]) -> Insert:
    return attempts(literal(error, Text), null(), _row.name.in_(job_ids))


def ready_again() -> dict[Any, Any]:
    """What makes a running row waiting again, the lost attempt not counted.

    Due since it was first: it goes before what was asked for later.
    """
    return {
        _row.attempt: _row.attempt - 1,
        _row.status: JobStatus.QUEUED.value,
        _row.updated_at: database_now(),
        _row.lease_until: None,
        _row.dispatched_at: None,
    }


def rescued() -> dict[Any, Any]:
    """The same, and that its worker died."""
    return {
        **ready_again(),
        _row.rescues: _row.rescues + 1,
        _row.crashes: _row.crashes + case((_row.is_alone, 1), else_=0),
    }


def poison(job_id: str, error: str) -> Update:
    """It has killed too many."""
    return (
        update(job_log)
        .where(_row.name == job_id)
        .values(
            {
                **rescued(),
                _row.attempt: _row.attempt,
                _row.status: JobStatus.FAILED.value,
                _row.error: error,
                _row.traceback: None,
                _row.completed_at: database_now(),
                _row.unique_lock: lock_after_end(JobStatus.FAILED),
            }
        )
    )


def blocked(gates: Collection[str], limit: int, older_than: float) -> Select[Any]:
    """Rows that have been waiting for one of these for so long."""
    return (
        select(_row.name)
        .where(_row.blocked_on.in_(gates), _row.updated_at <= database_now(-older_than))
        .limit(limit)
    )


def unblocked() -> dict[Any, Any]:
    """What makes them ready."""
    return {
        _row.blocked_on: None,
        _row.status: JobStatus.QUEUED.value,
        _row.updated_at: database_now(),
        _row.dispatched_at: None,
    }
