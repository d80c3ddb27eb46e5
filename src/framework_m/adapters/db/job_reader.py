"""Reading jobs: one, their lines, lists of them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from sqlalchemy import select, tuple_

from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db.schema import job_line, job_log
from framework_m.core.interfaces.job_store import LogLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.adapters.db.engine import Database
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_store import JobFilter

_row = job_log.c
_FILTERS = ("status", "job_name", "queue", "user_id", "parent_id", "correlation_id")
_LINE_COLUMNS = tuple(job_line.c[field.name] for field in fields(LogLine))


class JobReader:
    """The part of the JobStore port that only reads, for people."""

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
        query = select(job_log).order_by(_row.name.desc()).limit(wanted.limit)
        for name in _FILTERS:
            value = getattr(wanted, name)
            if value is not None:
                query = query.where(_row[name] == value)
        if wanted.before is not None:
            query = query.where(_row.name < wanted.before)
        async with self._shared.read() as connection:
            rows = await connection.execute(query)
            return [sql.record(row) for row in rows.mappings()]
