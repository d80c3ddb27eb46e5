"""The statements about gates: who waits at one, and who takes its places."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    String,
    bindparam,
    column,
    delete,
    func,
    literal,
    select,
    text,
    update,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite

from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db import job_rescue_sql as rescue_sql
from framework_m.adapters.db import queue_sql
from framework_m.adapters.db.schema import database_now, job_log, job_rate
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import ColumnElement, Delete, Select, Update

    from framework_m.core.interfaces.job_store import Dispatch

_row = job_log.c
_IN_ORDER = (_row.priority, _row.scheduled_at, _row.name)
_UNUSED_FOR = 60.0
_OF_A_JOB = (_row.name, _row.job_name, _row.queue, _row.gates)

LOCK = text(
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended(gate, 1) AS key "
    "FROM unnest(CAST(:gates AS text[])) AS gate ORDER BY key) AS keys"
)
"""PostgreSQL: until the transaction ends, nobody else decides at these gates. Always in one
order, so that no two transactions wait for each other."""

RUNNING = (
    select(_row.job_name, _row.queue, _row.gates, func.count().label("jobs"))
    .where(sql.is_running())
    .group_by(_row.job_name, _row.queue, _row.gates)
)

NOW = select(database_now())


def keyed(row: Any) -> Sequence[str]:
    """The gates that were kept with the job."""
    found: list[str] = json.loads(row.gates) if row.gates else []
    return found


def rates(gates: Collection[str]) -> Select[Any]:
    return select(job_rate.c.gate, job_rate.c.free_at).where(job_rate.c.gate.in_(gates))


def keep_rates(*, is_postgresql: bool) -> Any:
    insert: Any = postgresql.insert if is_postgresql else sqlite.insert
    new = insert(job_rate)
    return new.on_conflict_do_update(
        index_elements=["gate"], set_={"free_at": new.excluded.free_at}
    )


def unused_rates(limit: int) -> Select[Any]:
    """A rate that has had time for a while stands as if it had never been used."""
    since = select(database_now(-_UNUSED_FOR)).scalar_subquery()  # asked once: an index fits
    unused = job_rate.c.free_at < since
    return select(job_rate.c.gate).where(unused).limit(limit)


def forget_rates(limit: int) -> Delete:
    return delete(job_rate).where(job_rate.c.gate.in_(unused_rates(limit)))


PUT_BACK = (
    update(job_log)
    .where(_row.name == bindparam("job_id"))
    .values(
        {
            _row.status: JobStatus.QUEUED.value,
            _row.blocked_on: bindparam("gate", type_=String),
            _row.attempt: _row.attempt - 1,
            _row.worker: None,
            _row.lease_until: None,
            _row.started_at: None,
            _row.dispatched_at: None,
            _row.updated_at: database_now(),
        }
    )
)
"""In the transaction that claimed it: nobody has seen the claim. Its number stays used, so that
the next message of the job is not taken for a repetition of the last."""


def next_in_line(queue: str, limit: int) -> Select[Any]:
    """The jobs of a queue that would be claimed next."""
    return (
        select(*_OF_A_JOB)
        .where(sql.is_due(), _row.queue == queue)
        .order_by(*_IN_ORDER)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def block(gate: str, job_ids: Collection[str]) -> Update:
    return (
        update(job_log)
        .where(_row.name.in_(job_ids))
        .values(
            blocked_on=gate,
            status=JobStatus.QUEUED.value,
            dispatched_at=None,
            updated_at=database_now(),
        )
    )


def let_through(gate: str, limit: int, *, is_postgresql: bool) -> Update:
    """The first of those that wait at a gate, and that somebody may claim then."""
    first = (
        select(_row.name)
        .where(_row.blocked_on == gate, queue_sql.is_in_open_queue())
        .order_by(*_IN_ORDER)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (
        update(job_log)
        .where(sql.among(first, is_postgresql=is_postgresql))
        .values(rescue_sql.unblocked())
        .returning(*sql.DISPATCH_COLUMNS, _row.scheduled_at)
    )


def in_order(rows: Iterable[Any]) -> list[Dispatch]:
    """What was let through: RETURNING keeps no order, and queues keep the one they are given."""
    ordered = sorted(rows, key=attrgetter("priority", "scheduled_at", "name"))
    return sql.dispatches(row[:-1] for row in ordered)


def closed_gates(after: str, limit: int) -> Select[Any]:
    """The next gates at which anybody waits, each with the job that is first there.

    From gate to gate through the index, however many wait at each.
    """
    first = select(func.min(_row.blocked_on).label("gate")).where(
        _row.blocked_on > bindparam("after", after, type_=String)
    )
    found = first.cte("gates", recursive=True)
    following = (
        select(func.min(_row.blocked_on)).where(_row.blocked_on > found.c.gate).scalar_subquery()
    )
    gates = found.union_all(select(following).where(found.c.gate.is_not(None)))
    return (
        select(gates.c.gate, *_OF_A_JOB)
        .join_from(gates, job_log, _row.name == _first_at(gates.c.gate))
        .limit(literal(limit))
    )


def first_in_line(gates: Iterable[str]) -> Select[Any]:
    """Who is first of those that wait at each of these gates."""
    asked = values(column("gate", String), name="asked").data([(gate,) for gate in gates]).cte()
    return select(asked.c.gate, *_IN_ORDER).join_from(
        asked, job_log, _row.name == _first_at(asked.c.gate)
    )


def _first_at(gate: ColumnElement[str]) -> ColumnElement[str]:
    """Who waits first at a gate. Those of paused queues keep nobody waiting."""
    waiting = job_log.alias("waiting")
    return (
        select(waiting.c.name)
        .where(
            waiting.c.blocked_on == gate,
            waiting.c.queue.not_in(queue_sql.PAUSED),
        )
        .order_by(waiting.c.priority, waiting.c.scheduled_at, waiting.c.name)
        .limit(1)
        .scalar_subquery()
    )


def free_at(row: Any) -> float:
    moment: float = row.free_at.timestamp()
    return moment
