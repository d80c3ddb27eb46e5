"""What statements say of queues: which are paused, and how many jobs they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    String,
    column,
    exists,
    func,
    literal_column,
    select,
    table,
)

from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db.schema import UtcDateTime, database_now, job_log, statement_now

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Select

job_queue = table(
    "job_queue",
    column("name", String(64)),
    column("paused", Boolean),
    column("concurrency", BigInteger),
)
"""The columns of the Queue records that statements about jobs ask for."""

RULES = select(job_queue.c.name, job_queue.c.paused, job_queue.c.concurrency)
PAUSED = select(job_queue.c.name).where(job_queue.c.paused)

_row = job_log.c
_MINUTE = 60.0
_FAILED = literal_column("'Failed'", String)


def is_paused(queue: str) -> ColumnElement[bool]:
    """Of no row: the database looks once, before it looks for any job."""
    return exists().where(job_queue.c.name == queue, job_queue.c.paused)


def is_in_open_queue() -> ColumnElement[bool]:
    """The row's queue is not paused."""
    return _row.queue.not_in(PAUSED)


def waiting(queues: Collection[str] | None) -> Select[Any]:
    """By queue: those that are due, those that are not yet, the age of the oldest that is due.

    All of it is in the index ix_job_log_due.
    """
    now = _now()
    due = _row.scheduled_at <= now
    return _of(
        queues,
        select(
            _row.queue,
            func.count().filter(due),
            func.count().filter(~due),
            func.min(_row.scheduled_at, type_=UtcDateTime()).filter(due),
            now,
        ).where(sql.is_open()),
    )


def blocked(queues: Collection[str] | None) -> Select[Any]:
    return _of(queues, select(_row.queue, func.count()).where(_row.blocked_on.is_not(None)))


def running(queues: Collection[str] | None) -> Select[Any]:
    return _of(queues, select(_row.queue, func.count()).where(sql.is_running()))


def ended(queues: Collection[str]) -> Select[Any]:
    """By queue: those that ended in the last minute, and those of them that failed."""
    since = statement_now(-_MINUTE)
    return _of(
        queues,
        select(_row.queue, func.count(), func.count().filter(_row.status == _FAILED)).where(
            _row.completed_at.is_not(None), _row.completed_at >= since
        ),
    )


def _of(queues: Collection[str] | None, counted: Select[Any]) -> Select[Any]:
    if queues is not None:
        counted = counted.where(_row.queue.in_(queues))
    return counted.group_by(_row.queue)


def _now() -> ColumnElement[Any]:
    """Asked once for the whole statement, not once for each row."""
    return select(database_now()).scalar_subquery()
