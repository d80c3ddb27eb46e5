"""JobLogStore: the JobStore port on SQLAlchemy Core, for SQLite and PostgreSQL."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, update

from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db.schema import UtcDateTime, database_now, job_log
from framework_m.core.errors import DatabaseUnavailableError
from framework_m.core.ids import uuid7
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import timedelta

    from framework_m.adapters.db.engine import Database
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_store import (
        Claim,
        ClaimTerms,
        Dispatch,
        FinishedRun,
        JobFilter,
        NewJob,
        ProgressReport,
        Publish,
        Standing,
    )
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_row = job_log.c


class JobLogStore:
    """Keeps jobs in the table `job_log`.

    notify_channel: announce new jobs there in the inserting transaction (PostgreSQL NOTIFY), for
    a queue whose messages are the rows themselves.
    """

    def __init__(self, database: Database, *, notify_channel: str | None = None) -> None:
        self._database = database
        self._notify_channel = notify_channel if database.is_postgresql else None

    async def insert(self, unit: UnitOfWorkProtocol, jobs: Sequence[NewJob]) -> None:
        for statement, some in (
            (sql.NEW, [job for job in jobs if job.due_at is None]),
            (sql.NEW_LATER, [job for job in jobs if job.due_at is not None]),
        ):
            if some:
                await unit.execute(statement, [sql.new_row(job) for job in some])
        if self._notify_channel:
            for queue in {job.queue for job in jobs}:
                await unit.execute(select(func.pg_notify(self._notify_channel, queue)))

    async def claim_due(self, terms: ClaimTerms, limit: int) -> Sequence[Claim]:
        claims: list[Claim] = []
        async with self._database.begin() as connection:
            for queue in terms.queues:
                due = (
                    select(_row.name)
                    .where(sql.is_due(), _row.queue == queue)
                    .order_by(_row.priority, _row.scheduled_at, _row.name)
                    .limit(limit - len(claims))
                    .with_for_update(skip_locked=True)
                )
                rows = await connection.execute(sql.claim(terms, _row.name.in_(due)))
                claims.extend(sql.claims(rows))
                if len(claims) >= limit:
                    break
        return claims

    async def claim(self, terms: ClaimTerms, job_ids: Collection[str]) -> Sequence[Claim]:
        async with self._database.begin() as connection:
            rows = await connection.execute(
                sql.claim(terms, and_(_row.name.in_(job_ids), sql.is_due()))
            )
            return sql.claims(rows)

    async def finish(self, runs: Sequence[FinishedRun]) -> frozenset[str]:
        ended = [run for run in runs if run.status.is_terminal]
        again = [run for run in runs if not run.status.is_terminal]
        async with self._database.begin() as connection:
            for statement, some in ((sql.END, ended), (sql.WAIT, again)):
                if some:
                    await connection.execute(statement, [sql.finish_parameters(r) for r in some])
            # A batched UPDATE reports no count per row; reading back what is ours now does.
            rows = await connection.execute(sql.statuses([run.job_id for run in runs]))
            now = {name: (claim_no, status) for name, claim_no, status in rows}
        return frozenset(
            run.job_id for run in runs if now.get(run.job_id) == (run.claim_no, run.status)
        )

    async def release(self, claims: Sequence[Claim]) -> None:
        async with self._database.begin() as connection:
            for claim in claims:
                await connection.execute(
                    update(job_log)
                    .where(sql.held(claim.job_id, claim.claim_no))
                    .values(sql.ready_again())
                )
            await self._announce(connection, {claim.queue for claim in claims})

    async def renew(self, held: Mapping[str, int], terms: ClaimTerms) -> frozenset[str]:
        if not held:
            return frozenset()
        async with self._database.begin() as connection:
            rows = await connection.execute(
                update(job_log)
                .where(
                    _row.name.in_(held),
                    _row.status == JobStatus.RUNNING.value,
                    _row.worker == terms.worker,
                )
                .values(lease_until=database_now(terms.lease.total_seconds()))
                .returning(_row.name, _row.claim_no)
            )
            still = {name for name, claim_no in rows if held[name] == claim_no}
        return frozenset(held.keys() - still)

    async def rescue(self, limit: int, *, patience: timedelta) -> Sequence[Dispatch]:
        lapsed = (
            select(_row.name)
            .where(_row.status == JobStatus.RUNNING.value, _row.lease_until < database_now())
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        asked_at = time.monotonic()
        async with self._database.begin() as connection:
            if time.monotonic() - asked_at > patience.total_seconds():
                raise DatabaseUnavailableError("somebody kept its write lock for long")
            rows = await connection.execute(
                update(job_log)
                .where(_row.name.in_(lapsed))
                .values({**sql.ready_again(), _row.rescues: _row.rescues + 1})
                .returning(*sql.DISPATCH_COLUMNS)
            )
            jobs = sql.dispatches(rows)
            await self._announce(connection, {job.queue for job in jobs})
        return jobs

    async def report(self, reports: Sequence[ProgressReport]) -> None:
        async with self._database.begin() as connection:
            for report in reports:
                await connection.execute(
                    update(job_log)
                    .where(sql.held(report.job_id, report.claim_no))
                    .values(
                        progress=report.percent,
                        progress_message=report.message,
                        updated_at=database_now(),
                    )
                )

    async def standings(self, job_ids: Collection[str]) -> Mapping[str, Standing]:
        async with self._database.read() as connection:
            rows = await connection.execute(sql.standings(job_ids))
            return {row[0]: sql.standing(row) for row in rows}

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
            queues = sql.select_lost(older_than.total_seconds(), _row.queue).distinct()
            return list((await connection.execute(queues)).scalars())

    async def lost(self, queue: str, limit: int, *, older_than: timedelta) -> Sequence[Dispatch]:
        which = sql.select_lost(older_than.total_seconds(), _row.name).where(_row.queue == queue)
        async with self._database.begin() as connection:
            rows = await connection.execute(
                update(job_log)
                .where(_row.name.in_(which.limit(limit).with_for_update(skip_locked=True)))
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
                update(job_log).where(_row.status.in_(sql.WAITING_NAMES)).values(dispatched_at=None)
            )

    async def next_due(self, queues: Sequence[str]) -> timedelta | None:
        columns = (database_now().label("now"), func.min(_row.scheduled_at, type_=UtcDateTime()))
        async with self._database.read() as connection:
            waiting = select(*columns).where(
                _row.status.in_(sql.WAITING_NAMES), _row.queue.in_(queues)
            )
            now, due = (await connection.execute(waiting)).one()
        return None if due is None else due - now

    async def get(self, job_id: str) -> JobLog | None:
        async with self._database.read() as connection:
            rows = await connection.execute(select(job_log).where(_row.name == job_id))
            found = rows.mappings().first()
        return None if found is None else sql.record(found)

    async def list(self, wanted: JobFilter) -> Sequence[JobLog]:
        query = select(job_log).order_by(_row.name.desc()).limit(wanted.limit)
        for column, value in (
            (_row.status, wanted.status),
            (_row.job_name, wanted.job_name),
            (_row.queue, wanted.queue),
        ):
            if value is not None:
                query = query.where(column == value)
        if wanted.before is not None:
            query = query.where(_row.name < wanted.before)
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [sql.record(row) for row in rows.mappings()]

    async def _announce(self, connection: Any, queues: Collection[str]) -> None:
        if self._notify_channel:
            for queue in queues:
                await connection.execute(select(func.pg_notify(self._notify_channel, queue)))
