"""The statements of JobLogStore, and its rows as values."""

from __future__ import annotations

import json
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Float,
    Integer,
    String,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from framework_m.adapters.db.job_rescue_sql import attempts
from framework_m.adapters.db.job_unique_sql import lock_after
from framework_m.adapters.db.schema import (
    UtcDateTime,
    database_now,
    job_attempt,
    job_line,
    job_log,
)
from framework_m.core.causes import Cause
from framework_m.core.doctypes.job_log import JobAttempt, JobLog
from framework_m.core.identity import User
from framework_m.core.interfaces.job_store import Claim, Dispatch, Standing
from framework_m.core.jobs.states import WAITING, JobStatus
from framework_m.core.jobs.unique import state_bits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy import ColumnElement, RowMapping, Select, Update

    from framework_m.core.interfaces.job_store import ClaimTerms, FinishedRun, LogLine

_row = job_log.c
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
    _row.priority,
    _row.rescues,
    _row.user_id,
    _row.user_roles,
    _row.parent_id,
    _row.correlation_id,
    _row.trace_context,
    _row.scheduled_at,
    _row.gates,
    _row.unique_lock,
    _row.unique_states,
    _row.schedule,
    _row.due_at,
)


def is_due() -> ColumnElement[bool]:
    return and_(is_open(), _row.scheduled_at <= database_now())


def is_open() -> ColumnElement[bool]:
    """It waits for its time and for nothing else."""
    return and_(is_waiting(), _row.blocked_on.is_(None))


def is_waiting() -> ColumnElement[bool]:
    """Spelled out: only so does every plan of PostgreSQL's see that a partial index fits."""
    return _row.status.in_([_spelled_out(status) for status in WAITING])


def is_running() -> ColumnElement[bool]:
    """The same."""
    return _row.status == _spelled_out(JobStatus.RUNNING)


def _spelled_out(status: JobStatus) -> ColumnElement[str]:
    return literal_column(f"'{status.value}'", String)


def among(rows: Select[Any], *, is_postgresql: bool) -> ColumnElement[bool]:
    """The rows whose names the subquery selects.

    PostgreSQL expects IN to find a tenth of the table, and reads all of it; of an array it
    expects few.
    """
    if is_postgresql:
        return _row.name == func.any(func.array(rows.scalar_subquery()))
    return _row.name.in_(rows)


def held(job_id: Any, claim_no: Any) -> ColumnElement[bool]:
    """The row is still under this claim: the fence that every write of a run passes."""
    return and_(
        _row.name == job_id,
        _row.claim_no == claim_no,
        is_running(),
    )


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
    .values(
        {
            **_FINISHING,
            _row.result: bindparam("new_result"),
            _row.completed_at: database_now(),
            _row.unique_lock: lock_after(bindparam("status_bit", type_=Integer)),
        }
    )
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
            _row.blocked_on: bindparam("new_blocked_on", type_=String),
            # It came to an end of its own.
            _row.rescues: 0,
            _row.crashes: 0,
        }
    )
)


FAILED_ATTEMPT = attempts(
    bindparam("new_error", type_=Text), bindparam("new_traceback", type_=Text), _FENCE
)


LINE = insert(job_line).from_select(
    ("job_id", "claim_no", "number", "at", "level", "logger", "message"),
    select(
        _row.name,
        _row.claim_no,
        bindparam("number", type_=Integer),
        bindparam("at", type_=UtcDateTime()),
        bindparam("level", type_=String),
        bindparam("logger", type_=Text),
        bindparam("message", type_=Text),
    ).where(
        _FENCE,
        # Said again after a lost answer of the database, it is there already.
        ~exists().where(
            job_line.c.job_id == _row.name,
            job_line.c.claim_no == _row.claim_no,
            job_line.c.number == bindparam("number", type_=Integer),
        ),
    ),
)


def kept(job_ids: Collection[str]) -> Select[Any]:
    """Nobody deletes these until the transaction ends; locked in everybody's order."""
    named = select(_row.name).where(_row.name.in_(job_ids)).order_by(_row.name)
    return named.with_for_update(read=True, key_share=True)


MARK_DISPATCHED = (
    update(job_log)
    .where(
        _row.name == bindparam("job_id"),
        _row.claim_no == bindparam("told_claim_no"),
        is_waiting(),
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
        return {**common, "new_result": run.result, "status_bit": state_bits([run.status])}
    wait = run.retry_after.total_seconds() if run.retry_after else 0.0
    refund = int(not run.spends_attempt)
    return {**common, "wait": wait, "refund": refund, "new_blocked_on": run.blocked_on}


BY_ID = select(job_log).where(_row.name == bindparam("job_id"))
ATTEMPTS = (
    select(job_attempt)
    .where(job_attempt.c.job_id == bindparam("job_id"))
    .order_by(job_attempt.c.claim_no)
)


def keeps_attempt(run: FinishedRun) -> bool:
    """Whether it is told among the attempts: it went wrong, and was tried."""
    return run.error is not None and run.blocked_on is None


def attempt_parameters(run: FinishedRun) -> dict[str, Any]:
    return {
        "job_id": run.job_id,
        "held_claim_no": run.claim_no,
        "new_error": run.error,
        "new_traceback": run.traceback,
    }


def line_parameters(line: LogLine) -> dict[str, Any]:
    return {
        "job_id": line.job_id,
        "held_claim_no": line.claim_no,
        "number": line.number,
        "at": line.at,
        "level": line.level,
        "logger": line.logger,
        "message": line.message,
    }


def statuses(job_ids: Collection[str]) -> Select[Any]:
    columns = (_row.name, _row.claim_no, _row.status, _row.cancel_requested_at)
    return select(*columns).where(_row.name.in_(job_ids))


def was_kept(run: FinishedRun, row: Any) -> bool:
    """Whether the row tells of this run, now that its outcome was written."""
    return row is not None and (row.claim_no, row.status) == (run.claim_no, run.status)


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
            is_alone=False,
            cancel_requested_at=None,
            progress=None,
            progress_message=None,
        )
        .returning(*_CLAIM_COLUMNS)
    )


def claims(rows: Iterable[Any], taken: Mapping[str, tuple[str, ...]] | None = None) -> list[Claim]:
    """RETURNING keeps no order: most urgent first, then oldest.

    taken: of each the gates in which it takes a place.
    """
    ordered = sorted(rows, key=attrgetter("priority", "scheduled_at", "name"))
    return [_claim(row, (taken or {}).get(row.name, ())) for row in ordered]


def _claim(row: Any, gates: tuple[str, ...]) -> Claim:
    user = None
    if row.user_id is not None:
        user = User(row.user_id, frozenset(_parsed(row.user_roles) or ()))
    cause = Cause(row.parent_id, row.correlation_id, row.trace_context)
    return Claim(*(*row[:11], user, cause, gates, row.schedule, row.due_at))


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
        _row.name,
        _row.status,
        _row.lease_until,
        or_(_row.dispatched_at.is_not(None), is_due()).label("is_expected"),
        database_now().label("now"),
    ).where(_row.name.in_(job_ids))


def standing(row: Any) -> Standing:
    status = JobStatus(row.status)
    left = None
    if status is JobStatus.RUNNING and row.lease_until is not None:
        left = max(timedelta(), row.lease_until - row.now)
    return Standing(status, left, bool(row.is_expected))


def record(row: RowMapping, tried: Iterable[RowMapping] = ()) -> JobLog:
    return JobLog(
        **{
            **row,  # names of columns are names of fields
            "job_id": row["name"],
            "args": json.loads(row["args"]),
            "result": _parsed(row["result"]),
            "tags": _parsed(row["tags"]) or (),
            "user_roles": _parsed(row["user_roles"]) or (),
            "attempts": tuple(JobAttempt(**attempt) for attempt in tried),
        }
    )


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
