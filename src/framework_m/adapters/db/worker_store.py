"""DatabaseWorkerStore: the WorkerStore port."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db.schema import database_now, job_log
from framework_m.adapters.db.worker_schema import worker as workers
from framework_m.core.interfaces.worker_store import RunningJob, WorkerFacts, WorkerStanding
from framework_m.core.text import storable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import timedelta

    from framework_m.adapters.db.engine import Database

_row = workers.c


class DatabaseWorkerStore:
    """Rows of `worker`.

    reserved: connections for the workers' own words, which jobs and requests cannot use up.
    """

    def __init__(self, database: Database, reserved: Database) -> None:
        self._database = database
        self._reserved = reserved

    async def beat(
        self, worker: WorkerFacts, *, memory_bytes: int | None, lost_after: timedelta
    ) -> bool:
        told = {
            "memory_bytes": memory_bytes,
            "seen_at": database_now(),
            "lost_at": database_now(lost_after.total_seconds()),
        }
        known = (
            update(workers)
            .where(_row.name == worker.name)
            .values(told)
            .returning(_row.drain_requested_at)
        )
        async with self._reserved.begin() as connection:
            found = (await connection.execute(known)).first()
            if found is None:
                values = {**_values(worker), **told, "started_at": database_now()}
                await connection.execute(insert(workers).values(values))
        return found is not None and found.drain_requested_at is not None

    async def is_to_drain(self, name: str) -> bool:
        asked = select(_row.name).where(_row.name == name, _row.drain_requested_at.is_not(None))
        return bool(await self._reserved.fetch(asked))

    async def leave(self, name: str) -> None:
        async with self._reserved.begin() as connection:
            await connection.execute(delete(workers).where(_row.name == name))

    async def drain(self, names: Collection[str] | None) -> frozenset[str]:
        which = ~_is_lost() if names is None else _row.name.in_([storable(name) for name in names])
        asking = (
            update(workers)
            .where(which)
            .values(drain_requested_at=func.coalesce(_row.drain_requested_at, database_now()))
            .returning(_row.name)
        )
        async with self._reserved.begin() as connection:
            return frozenset((await connection.execute(asking)).scalars())

    async def find(self, name: str | None = None) -> Sequence[WorkerStanding]:
        held = (
            select(job_log.c.worker, func.count().label("running"))
            .where(sql.is_running())
            .group_by(job_log.c.worker)
            .subquery()
        )
        found = (
            select(workers, _is_lost().label("is_lost"), func.coalesce(held.c.running, 0))
            .outerjoin(held, held.c.worker == _row.name)
            .order_by(_row.name)
        )
        if name is not None:
            found = found.where(_row.name == storable(name))
        return [_standing(row) for row in await self._database.fetch(found)]

    async def running(self, name: str, limit: int) -> Sequence[RunningJob]:
        columns = (job_log.c.name, job_log.c.job_name, job_log.c.started_at)
        held = (
            select(*columns)
            .where(sql.is_running(), job_log.c.worker == storable(name))
            .order_by(job_log.c.started_at, job_log.c.name)
            .limit(limit)
        )
        return [RunningJob(*row) for row in await self._database.fetch(held)]

    async def forget(self, older_than: timedelta) -> int:
        long_ago = database_now(-older_than.total_seconds())
        async with self._reserved.begin() as connection:
            gone = await connection.execute(delete(workers).where(_row.seen_at < long_ago))
        return gone.rowcount


def _is_lost() -> ColumnElement[bool]:
    return _row.lost_at < database_now()


def _values(worker: WorkerFacts) -> dict[str, Any]:
    return {**asdict(worker), "queues": json.dumps(worker.queues)}


def _standing(row: Any) -> WorkerStanding:
    *_, is_lost, running = row
    known = {field.name: getattr(row, field.name) for field in fields(WorkerFacts)}
    return WorkerStanding(
        WorkerFacts(**{**known, "queues": tuple(json.loads(row.queues))}),
        memory_bytes=row.memory_bytes,
        started_at=row.started_at,
        seen_at=row.seen_at,
        is_draining=row.drain_requested_at is not None,
        is_lost=bool(is_lost),
        running=running,
    )
