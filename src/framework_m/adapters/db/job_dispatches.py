"""Which jobs a queue has been told of, and which are due."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, or_, select, update

from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db import queue_sql
from framework_m.adapters.db.schema import UtcDateTime, database_now, job_log
from framework_m.core.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from sqlalchemy import ColumnElement, Select

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.job_store import Dispatch, Publish

_row = job_log.c


class JobDispatches:
    """The part of the JobStore port that the relay and idle queues ask."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def relay_undispatched(
        self, publish: Publish, limit: int, *, older_than: timedelta
    ) -> int:
        undispatched = sql.undispatched(limit, older_than.total_seconds())
        if self._database.is_postgresql:
            # The rows stay locked while they are published: other sweepers skip them.
            async with self._database.begin() as connection:
                jobs = sql.dispatches(await connection.execute(undispatched))
                if jobs:
                    await publish(jobs)
                    await connection.execute(sql.MARK_DISPATCHED, sql.marks(jobs))
            return len(jobs)
        async with self._database.read() as connection:
            jobs = sql.dispatches(await connection.execute(undispatched))
        if jobs:
            await publish(jobs)  # not under SQLite's one write lock
            await self.mark_dispatched(jobs)
        return len(jobs)

    async def waiting_since(self, older_than: timedelta) -> Sequence[str]:
        async with self._database.read() as connection:
            lost = sql.select_lost(older_than.total_seconds(), _row.queue).distinct()
            queues = lost.where(queue_sql.is_in_open_queue())
            return list((await connection.execute(queues)).scalars())

    async def lost(self, queue: str, limit: int, *, older_than: timedelta) -> Sequence[Dispatch]:
        which = sql.select_lost(older_than.total_seconds(), _row.name).where(_row.queue == queue)
        async with self._database.begin() as connection:
            rows = await connection.execute(
                update(job_log)
                .where(self._among(which.limit(limit).with_for_update(skip_locked=True)))
                .values(dispatched_at=database_now())
                .returning(*sql.DISPATCH_COLUMNS)
            )
            # A fresh mark: the queue may still know the message that it lost.
            again = f":{uuid7()}"
            return [replace(job, again=again) for job in sql.dispatches(rows)]

    async def mark_dispatched(self, jobs: Sequence[Dispatch]) -> None:
        if jobs:
            async with self._database.begin() as connection:
                await connection.execute(sql.MARK_DISPATCHED, sql.marks(jobs))

    async def forget_dispatches(self) -> None:
        async with self._database.begin() as connection:
            await connection.execute(
                update(job_log).where(sql.is_waiting()).values(dispatched_at=None)
            )

    async def next_due(self, queues: Sequence[str]) -> timedelta | None:
        columns = (database_now().label("now"), func.min(_row.scheduled_at, type_=UtcDateTime()))
        async with self._database.read() as connection:
            waiting = select(*columns).where(
                sql.is_open(), _row.queue.in_(queues), queue_sql.is_in_open_queue()
            )
            now, due = (await connection.execute(waiting)).one()
        return None if due is None else due - now

    async def has_work(self, queues: Sequence[str], worker: str) -> bool:
        served = _row.queue.in_(queues)
        kinds = (
            and_(sql.is_due(), served, queue_sql.is_in_open_queue()),
            and_(sql.is_running(), _row.worker == worker),
            and_(sql.is_running(), served, _row.lease_until < database_now()),
        )
        found = await self._database.fetch(select(or_(*(exists().where(it) for it in kinds))))
        return bool(found[0][0])

    def _among(self, rows: Select[Any]) -> ColumnElement[bool]:
        return sql.among(rows, is_postgresql=self._database.is_postgresql)
