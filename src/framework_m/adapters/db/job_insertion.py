"""Writing new jobs in the caller's transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, bindparam, insert

from framework_m.adapters.db.schema import UtcDateTime, database_now, job_log
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.job_store import NewJob
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_NEW = insert(job_log).values(
    enqueued_at=database_now(),
    scheduled_at=database_now(),
    updated_at=database_now(),
    attempt=0,
    claim_no=0,
    rescues=0,
)
_NEW_DELAYED = _NEW.values(scheduled_at=database_now(bindparam("delay", type_=Float)))
_NEW_LATER = _NEW.values(scheduled_at=bindparam("due_at", type_=UtcDateTime()))


async def insert_jobs(unit: UnitOfWorkProtocol, jobs: Sequence[NewJob]) -> None:
    """Raises DatabaseUnavailableError."""
    rows: dict[Any, list[dict[str, Any]]] = {}
    for job in jobs:
        rows.setdefault(_insertion(job), []).append(_row(job))
    for statement, some in rows.items():
        await unit.execute(statement, some)


def _insertion(job: NewJob) -> Any:
    if job.delay is not None:
        return _NEW_DELAYED
    return _NEW if job.due_at is None else _NEW_LATER


def _row(job: NewJob) -> dict[str, Any]:
    later: dict[str, Any] = {}
    if job.delay is not None:
        later = {"delay": job.delay.total_seconds()}
    elif job.due_at is not None:
        later = {"due_at": job.due_at}
    return {
        **later,
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
        "gates": json.dumps(job.gates) if job.gates else None,
        "blocked_on": job.blocked_on,
    }
