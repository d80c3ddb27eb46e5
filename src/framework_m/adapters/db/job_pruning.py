"""JobPruner: the JobPruning port on SQLAlchemy Core, for SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, delete, func, literal, or_, select, tuple_

from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db.firing_outcomes import KEEP, LAST_WORDS, to_keep
from framework_m.adapters.db.job_unique_sql import worth_another_try
from framework_m.adapters.db.schema import database_now, job_line, job_log
from framework_m.core.interfaces.job_pruning import OldJob

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import timedelta

    from sqlalchemy import ColumnElement, Select

    from framework_m.adapters.db.engine import Database
    from framework_m.core.jobs.states import JobStatus

_row = job_log.c
_original = job_log.alias("original")
_ORIGINAL = select(_original.c.name).where(_original.c.name == _row.retry_of).scalar_subquery()
_TELLS_OF_NONE = or_(_row.retry_of.is_(None), _ORIGINAL.is_(None))
"""That a job was run again is told by the later one alone: without that, running again all that
failed would run it once more. Asked at the removal, of few: it is dear."""
_LINES = select(func.count()).where(job_line.c.job_id == _row.name).scalar_subquery()


class JobPruner:
    """Removes old jobs from the table `job_log`; see the port for its promises.

    Reading comes first and apart, so that SQLite's one write lock is held for the deletion only.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_old(
        self,
        status: JobStatus,
        *,
        older_than: timedelta,
        limit: int,
        after: OldJob | None = None,
    ) -> Sequence[OldJob]:
        return [
            OldJob(*row)
            for row in await self._database.fetch(_old(status, older_than, limit, after))
        ]

    async def remove_old(
        self, status: JobStatus, *, older_than: timedelta, job_ids: Collection[str]
    ) -> int:
        free = (
            select(_row.name)
            .where(_row.name.in_(job_ids), _row.status == status.value, _is_removable(older_than))
            .where(_TELLS_OF_NONE)
            .with_for_update(skip_locked=True)
        )
        among = sql.among(free, is_postgresql=self._database.is_postgresql)
        with worth_another_try():
            async with self._database.begin() as connection:
                removal = delete(job_log).where(among).returning(*LAST_WORDS)
                removed = (await connection.execute(removal)).all()
                if kept := to_keep(removed):
                    await connection.execute(KEEP, kept)
                return len(removed)


def _old(status: JobStatus, older_than: timedelta, limit: int, after: OldJob | None) -> Select[Any]:
    """No job ends before it is enqueued: so the index on status and enqueued_at bounds it."""
    is_removable = func.coalesce(_is_removable(older_than), False)
    query = (
        select(_row.name, _row.enqueued_at, is_removable, case((is_removable, _LINES), else_=0))
        .where(_row.status == status.value, _row.enqueued_at < _ago(older_than))
        .order_by(_row.enqueued_at, _row.name)
        .limit(limit)
    )
    if after is None:
        return query
    at = literal(after.enqueued_at, _row.enqueued_at.type)
    return query.where(tuple_(_row.enqueued_at, _row.name) > tuple_(at, literal(after.job_id)))


def _is_removable(older_than: timedelta) -> ColumnElement[bool]:
    """A unique key that lasts longer than its job's run must outlive pruning as well."""
    keeps_nobody_out = or_(_row.unique_lock.is_(None), _row.unique_until <= database_now())
    return and_(_row.completed_at < _ago(older_than), keeps_nobody_out)


def _ago(age: timedelta) -> ColumnElement[Any]:
    """A subquery, so that the time is read once: only then can it bound what an index reads."""
    return select(database_now(-round(age.total_seconds(), 3))).scalar_subquery()
