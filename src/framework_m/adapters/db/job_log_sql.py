"""The statements of JobLogStore, and its rows as values."""

from __future__ import annotations

import json
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, Integer, and_, bindparam, insert, or_, select, update

from framework_m.adapters.db.schema import UtcDateTime, database_now, job_log
from framework_m.core.doctypes.job_log import JobLog
from framework_m.core.interfaces.job_store import Claim, Dispatch, Standing
from framework_m.core.jobs.states import WAITING, JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import ColumnElement, RowMapping, Select, Update

    from framework_m.core.interfaces.job_store import ClaimTerms, FinishedRun, NewJob

_row = job_log.c
WAITING_NAMES = tuple(status.value for status in WAITING)
DISPATCH_COLUMNS = (_row.name, _row.job_name, _row.queue, _row.priority, _row.claim_no)
_CLAIM_COLUMNS = (
    _row.name,
    _row.job_name,
    _row.queue,
    _row.args,
    _row.attempt,
    _row.max_attempts,
    _row.claim_no,
    _row.enqueued_at,
    _row.started_at,
    _row.user_id,
    _row.priority,
    _row.scheduled_at,
)


def is_due() -> ColumnElement[bool]:
    return and_(_row.status.in_(WAITING_NAMES), _row.scheduled_at <= database_now())


def held(job_id: Any, claim_no: Any) -> ColumnElement[bool]:
    """The row is still under this claim: the fence that every write of a run passes."""
    return and_(
        _row.name == job_id,
        _row.claim_no == claim_no,
        _row.status == JobStatus.RUNNING.value,
    )


def ready_again() -> dict[Any, Any]:
    """What makes a running row waiting again, due now, the lost attempt not counted."""
    return {
        _row.attempt: _row.attempt - 1,
        _row.status: JobStatus.QUEUED.value,
        _row.scheduled_at: database_now(),
        _row.updated_at: database_now(),
        _row.lease_until: None,
        _row.dispatched_at: None,
    }


NEW = insert(job_log).values(
    enqueued_at=database_now(),
    scheduled_at=database_now(),
    updated_at=database_now(),
    attempt=0,
    claim_no=0,
    rescues=0,
)
NEW_LATER = NEW.values(scheduled_at=bindparam("due_at", type_=UtcDateTime()))

_FINISHING: dict[Any, Any] = {
    _row.status: bindparam("new_status"),
    _row.error: bindparam("new_error"),
    _row.traceback: bindparam("new_traceback"),
    _row.updated_at: database_now(),
    _row.lease_until: None,
}
_FENCE = held(bindparam("job_id"), bindparam("held_claim_no"))

END = (
    update(job_log)
    .where(_FENCE)
    .values({**_FINISHING, _row.result: bindparam("new_result"), _row.completed_at: database_now()})
)
WAIT = (
    update(job_log)
    .where(_FENCE)
    .values(
        {
            **_FINISHING,
            _row.scheduled_at: database_now(bindparam("wait", type_=Float)),
            _row.dispatched_at: None,
            _row.attempt: _row.attempt - bindparam("refund", type_=Integer),
        }
    )
)

MARK_DISPATCHED = (
    update(job_log)
    .where(
        _row.name == bindparam("job_id"),
        _row.claim_no == bindparam("told_claim_no"),
        or_(*(_row.status == name for name in WAITING_NAMES)),  # IN does not go with batches
    )
    .values(dispatched_at=database_now())
)


def finish_parameters(run: FinishedRun) -> dict[str, Any]:
    common = {
        "job_id": run.job_id,
        "held_claim_no": run.claim_no,
        "new_status": run.status.value,
        "new_error": run.error,
        "new_traceback": run.traceback,
    }
    if run.status.is_terminal:
        return {**common, "new_result": run.result}
    wait = run.retry_after.total_seconds() if run.retry_after else 0.0
    return {**common, "wait": wait, "refund": int(not run.spends_attempt)}


def statuses(job_ids: Collection[str]) -> Select[Any]:
    return select(_row.name, _row.claim_no, _row.status).where(_row.name.in_(job_ids))


def claim(terms: ClaimTerms, which: ColumnElement[bool]) -> Update:
    """Take these rows: a new claim number, a lease, one more attempt."""
    return (
        update(job_log)
        .where(which)
        .values(
            status=JobStatus.RUNNING.value,
            worker=terms.worker,
            claim_no=_row.claim_no + 1,
            attempt=_row.attempt + 1,
            lease_until=database_now(terms.lease.total_seconds()),
            started_at=database_now(),
            updated_at=database_now(),
            completed_at=None,
            progress=None,
            progress_message=None,
        )
        .returning(*_CLAIM_COLUMNS)
    )


def claims(rows: Iterable[Any]) -> list[Claim]:
    """RETURNING keeps no order: most urgent first, then oldest."""
    ordered = sorted(rows, key=attrgetter("priority", "scheduled_at", "name"))
    return [Claim(*row[:11]) for row in ordered]


def undispatched(limit: int, older_than: float) -> Select[Any]:
    """Due rows that no queue has been told of, and that nobody is telling it of just now."""
    return (
        select(*DISPATCH_COLUMNS)
        .where(
            is_due(),
            _row.dispatched_at.is_(None),
            _row.updated_at < database_now(-older_than),
        )
        .order_by(_row.priority, _row.scheduled_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def select_lost(older_than: float, column: ColumnElement[str]) -> Select[Any]:
    """Of due rows that the queue was told of that long ago."""
    long_ago = database_now(-older_than)
    return select(column).where(
        is_due(), _row.dispatched_at < long_ago, _row.scheduled_at < long_ago
    )


def dispatches(rows: Iterable[Any]) -> list[Dispatch]:
    return [Dispatch(*row) for row in rows]


def marks(jobs: Iterable[Dispatch]) -> list[dict[str, Any]]:
    return [{"job_id": job.job_id, "told_claim_no": job.claim_no} for job in jobs]


def standings(job_ids: Collection[str]) -> Select[Any]:
    return select(
        _row.name, _row.status, _row.lease_until, _row.dispatched_at, database_now().label("now")
    ).where(_row.name.in_(job_ids))


def standing(row: Any) -> Standing:
    status = JobStatus(row.status)
    left = None
    if status is JobStatus.RUNNING and row.lease_until is not None:
        left = max(timedelta(), row.lease_until - row.now)
    return Standing(status, left, row.dispatched_at is not None)


def new_row(job: NewJob) -> dict[str, Any]:
    later = {} if job.due_at is None else {"due_at": job.due_at}
    return {
        **later,
        "name": job.job_id,
        "job_name": job.job_name,
        "queue": job.queue,
        "priority": job.priority,
        "status": (JobStatus.SCHEDULED if later else JobStatus.QUEUED).value,
        "args": job.args,
        "max_attempts": job.max_attempts,
        "user_id": job.user_id,
        "parent_id": job.parent_id,
    }


def record(row: RowMapping) -> JobLog:
    result = row["result"]
    return JobLog(
        **{
            **row,  # names of columns are names of fields
            "job_id": row["name"],
            "args": json.loads(row["args"]),
            "result": None if result is None else json.loads(result),
        }
    )
