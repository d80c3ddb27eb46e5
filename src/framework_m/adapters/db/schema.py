"""Tables of the built-in records. The migrations in alembic/ create exactly these."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    and_,
    false,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from framework_m.adapters.db.sqlite import CLOCK, has_clock
from framework_m.adapters.db.types import UtcDateTime

__all__ = [
    "UtcDateTime",
    "database_now",
    "job_attempt",
    "job_line",
    "job_log",
    "job_rate",
    "job_tag",
    "metadata",
    "naming_series",
    "statement_now",
]

metadata = MetaData()

ID = String(36)
NAME = String(255)


class database_now(FunctionElement[datetime]):  # noqa: N801 - used like an SQL function
    """The database's own time, plus some seconds: the one clock that all workers share.

    Statement time, not transaction time, so that waiting for a lock does not age a lease.
    """

    type = UtcDateTime()
    inherit_cache = True


@compiles(database_now, "postgresql")
def _now_postgresql(element: database_now, compiler: Any, **options: Any) -> str:
    if not element.clauses.clauses:
        return "clock_timestamp()"
    shift = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + make_interval(secs => {shift}))"


class statement_now(FunctionElement[datetime]):  # noqa: N801 - the same
    """The same, as it was when the statement began: one for all rows, so that an index serves."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(statement_now, "postgresql")
def _statement_now_postgresql(element: statement_now, compiler: Any, **options: Any) -> str:
    if not element.clauses.clauses:
        return "statement_timestamp()"
    shift = compiler.process(element.clauses, **options)
    return f"(statement_timestamp() + make_interval(secs => {shift}))"


@compiles(statement_now, "sqlite")
@compiles(database_now, "sqlite")
def _now_sqlite(element: database_now | statement_now, compiler: Any, **options: Any) -> str:
    if has_clock(compiler.dialect):
        seconds = compiler.process(element.clauses, **options) if element.clauses.clauses else "0"
        return f"{CLOCK}({seconds})"
    # SQLite's %f stops at milliseconds; padded, it compares with what UtcDateTime writes.
    shift = ""
    if element.clauses.clauses:
        shift = f", {compiler.process(element.clauses, **options)} || ' seconds'"
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now'{shift}) || '000')"


job_log = Table(
    "job_log",
    metadata,
    Column("name", ID, primary_key=True),
    Column("job_name", NAME, nullable=False),
    Column("queue", String(64), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("args", Text, nullable=False),
    Column("result", Text),
    Column("error", Text),
    Column("traceback", Text),
    Column("enqueued_at", UtcDateTime, nullable=False),
    Column("scheduled_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("completed_at", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("user_id", NAME),
    Column("user_roles", Text),
    Column("worker", NAME),
    Column("parent_id", ID),
    Column("correlation_id", NAME),
    Column("trace_context", Text),
    Column("tags", Text),
    Column("unique_key", NAME),
    Column("schedule", NAME),
    Column("due_at", UtcDateTime),
    Column("progress", Double),
    Column("progress_message", Text),
    Column("claim_no", Integer, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("rescues", Integer, nullable=False),
    Column("dispatched_at", UtcDateTime),
    Column("blocked_on", NAME),
    Column("is_alone", Boolean, nullable=False, server_default=false()),
    Column("crashes", Integer, nullable=False, server_default=text("0")),
    Column("cancel_requested_at", UtcDateTime),
    Column("retry_of", ID),
    # The unique key for as long as it keeps others out; until when; and in which states.
    Column("unique_lock", NAME),
    Column("unique_until", UtcDateTime),
    Column("unique_states", SmallInteger),
    Column("gates", Text),
)

_waiting = job_log.c.status.in_(("Queued", "Scheduled", "Retrying"))
_open = and_(_waiting, job_log.c.blocked_on.is_(None))
_blocked = job_log.c.blocked_on.is_not(None)
_running = job_log.c.status == "Running"
_locked = job_log.c.unique_lock.is_not(None)
_completed = job_log.c.completed_at.is_not(None)

Index(
    "ix_job_log_due",
    job_log.c.queue,
    job_log.c.priority,
    job_log.c.scheduled_at,
    job_log.c.name,
    postgresql_where=_open,
    sqlite_where=_open,
)
Index(
    "ix_job_log_blocked",
    job_log.c.blocked_on,
    job_log.c.priority,
    job_log.c.scheduled_at,
    job_log.c.name,
    postgresql_where=_blocked,
    sqlite_where=_blocked,
)
Index("ix_job_log_lease", job_log.c.lease_until, postgresql_where=_running, sqlite_where=_running)
Index(
    "uq_job_log_unique_lock",
    job_log.c.unique_lock,
    unique=True,
    postgresql_where=_locked,
    sqlite_where=_locked,
)
Index(
    "ix_job_log_completed",
    job_log.c.queue,
    job_log.c.completed_at,
    postgresql_where=_completed,
    sqlite_where=_completed,
)
# Lists of jobs, newest first: each filter has the order behind it.
_newest = (job_log.c.enqueued_at, job_log.c.name)
Index("ix_job_log_enqueued", *_newest)
Index("ix_job_log_status", job_log.c.status, *_newest)
Index("ix_job_log_job_name", job_log.c.job_name, *_newest)
Index("ix_job_log_queue", job_log.c.queue, *_newest)
_of_user = job_log.c.user_id.is_not(None)
Index(
    "ix_job_log_user",
    job_log.c.user_id,
    *_newest,
    postgresql_where=_of_user,
    sqlite_where=_of_user,
)
_of_parent = job_log.c.parent_id.is_not(None)
Index(
    "ix_job_log_parent",
    job_log.c.parent_id,
    *_newest,
    postgresql_where=_of_parent,
    sqlite_where=_of_parent,
)
# Most jobs are alone, with their own id to correlate by: only the others cost anything.
_of_family = job_log.c.correlation_id != job_log.c.name
Index(
    "ix_job_log_correlation",
    job_log.c.correlation_id,
    *_newest,
    postgresql_where=_of_family,
    sqlite_where=_of_family,
)
_of_schedule = job_log.c.schedule.is_not(None)
Index(
    "ix_job_log_schedule",
    job_log.c.schedule,
    *_newest,
    postgresql_where=_of_schedule,
    sqlite_where=_of_schedule,
)
_unfinished_of_schedule = and_(_of_schedule, job_log.c.completed_at.is_(None))
Index(
    "ix_job_log_schedule_unfinished",
    job_log.c.schedule,
    postgresql_where=_unfinished_of_schedule,
    sqlite_where=_unfinished_of_schedule,
)
_again = job_log.c.retry_of.is_not(None)
Index("ix_job_log_retry_of", job_log.c.retry_of, postgresql_where=_again, sqlite_where=_again)


job_tag = Table(
    "job_tag",
    metadata,
    Column("tag", Text, primary_key=True),
    Column("enqueued_at", UtcDateTime, primary_key=True),
    Column(
        "job_id", ID, ForeignKey(job_log.c.name, ondelete="CASCADE"), primary_key=True, index=True
    ),
)
"""The tags of jobs that have any, in the order in which they are listed."""


def _job_id() -> Column[str]:
    return Column("job_id", ID, ForeignKey(job_log.c.name, ondelete="CASCADE"), primary_key=True)


job_attempt = Table(
    "job_attempt",
    metadata,
    _job_id(),
    Column("claim_no", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("worker", NAME),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("error", Text, nullable=False),
    Column("traceback", Text),
)
"""Runs that did not succeed."""

job_line = Table(
    "job_line",
    metadata,
    _job_id(),
    Column("claim_no", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("level", String(16), nullable=False),
    Column("logger", Text),
    Column("message", Text, nullable=False),
)
"""What runs said."""

job_rate = Table(
    "job_rate",
    metadata,
    Column("gate", NAME, primary_key=True),
    Column("free_at", UtcDateTime, nullable=False, index=True),
)
"""Of each rate limit: the theoretical arrival time of the next run (GCRA)."""

naming_series = Table(
    "naming_series",
    metadata,
    Column("series", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
