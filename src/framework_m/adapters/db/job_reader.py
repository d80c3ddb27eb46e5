"""Reading jobs: one, their lines, lists of them, and which of them are to be acted on."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, tuple_

from framework_m.adapters.db import job_list_sql as list_sql
from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db.job_unique_sql import worth_another_try
from framework_m.adapters.db.schema import job_line
from framework_m.core.interfaces.job_reading import JobCount, JobCursor
from framework_m.core.interfaces.job_store import LogLine

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from framework_m.adapters.db.engine import Database
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_reading import JobFilter, JobScope
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_LINE_COLUMNS = tuple(job_line.c[field.name] for field in fields(LogLine))


class JobReader:
    """The port JobReading."""

    def __init__(self, database: Database) -> None:
        self._shared = database

    async def get(self, job_id: str) -> JobLog | None:
        async with self._shared.read() as connection:
            found = (await connection.execute(sql.BY_ID, {"job_id": job_id})).mappings().first()
            if found is None:
                return None
            # Most jobs go well the first time, and are looked at often until they have.
            went_well = found["claim_no"] <= 1 and not (found["error"] or found["rescues"])
            if went_well:
                return sql.record(found)
            attempts = await connection.execute(sql.ATTEMPTS, {"job_id": job_id})
            return sql.record(found, attempts.mappings().all())

    async def lines(
        self, job_id: str, *, after: tuple[int, int] | None, limit: int
    ) -> Sequence[LogLine]:
        query = select(*_LINE_COLUMNS).where(job_line.c.job_id == job_id)
        if after is not None:
            query = query.where(tuple_(job_line.c.claim_no, job_line.c.number) > after)
        ordered = query.order_by(job_line.c.claim_no, job_line.c.number).limit(limit)
        return [LogLine(*row) for row in await self._shared.fetch(ordered)]

    async def list(self, wanted: JobFilter) -> Sequence[JobLog]:
        async with self._shared.read() as connection:
            await self._plan_for_these(connection)
            rows = await connection.execute(list_sql.listed(wanted))
            return [sql.record(row) for row in rows.mappings()]

    async def count(self, wanted: JobFilter) -> JobCount:
        async with self._shared.read() as connection:
            await self._plan_for_these(connection)
            found = (await connection.execute(list_sql.counted(wanted))).scalar_one()
        return JobCount(min(found, wanted.limit), found <= wanted.limit)

    async def pick(
        self, unit: UnitOfWorkProtocol, wanted: JobFilter, scope: JobScope
    ) -> Sequence[JobCursor]:
        with worth_another_try():
            await self._plan_for_these(unit)
            rows = (await unit.execute(list_sql.picked(wanted, scope))).all()
            if rows:
                await unit.execute(list_sql.locked([row.name for row in rows]))
        return [JobCursor(*row) for row in rows]

    async def to_retry(
        self, unit: UnitOfWorkProtocol, job_ids: Collection[str]
    ) -> Sequence[JobLog]:
        # A statement after the one that locked them: it sees what others have committed meanwhile.
        rows = await unit.execute(list_sql.to_retry(job_ids))
        return [sql.record(row) for row in rows.mappings()]

    async def _plan_for_these(self, connection: Any) -> None:
        if self._shared.is_postgresql:
            await connection.execute(list_sql.CUSTOM_PLANS)
