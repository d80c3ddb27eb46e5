"""DatabaseScheduleStore: the ScheduleStore port."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from framework_m.adapters.db.schedule_schema import schedule_firing, scheduled_job
from framework_m.adapters.db.schema import database_now, job_log, statement_now
from framework_m.core.doctypes.scheduled_job import ScheduleStatus
from framework_m.core.interfaces.schedule_store import (
    Due,
    Locked,
    PastFiring,
    Pending,
    ScheduleStanding,
    StoredSchedule,
)
from framework_m.core.jobs.states import TERMINAL, JobStatus
from framework_m.core.text import storable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Select

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.schedule_store import Fired, Firing
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_row = scheduled_job.c
_firing = schedule_firing.c
_job = job_log.c
_OPEN = [status.value for status in JobStatus if status not in TERMINAL]
_STORED = (
    *(_row.name, _row.function, _row.cron_expression, _row.timezone, _row.args, _row.queue),
    *(_row.priority, _row.overlap, _row.catch_up, _row.catch_up_window),
    *(_row.start_date, _row.end_date, _row.jitter, _row.next_run),
)
_STANDING_COLUMNS = (
    *(_row.name, _row.function, _row.cron_expression, _row.timezone, _row.description),
    *(_row.enabled, _row.declared_in, _row.start_date, _row.end_date),
    *(_row.next_run, _row.last_run, _row.last_job),
)
_OF_JOB = (
    _job.status.label("job_status"),
    _job.started_at,
    and_(_job.attempt <= 1, _job.rescues == 0).label("is_first"),
)
_ADVANCE = (
    update(scheduled_job)
    .where(_row.name == bindparam("schedule"))
    .values(next_run=bindparam("next"))
)
_NOTE = _ADVANCE.values(
    last_run=bindparam("due"), last_job=bindparam("job"), last_status=bindparam("became")
)
_FOLLOW = (
    update(scheduled_job)
    .where(_row.name == bindparam("schedule"), _row.last_job == bindparam("job"))
    .values(last_status=bindparam("became"))
)
_FOLLOWED = 500
_LONGEST_WAIT = "500ms"


class DatabaseScheduleStore:
    """Rows of `scheduled_job` and `schedule_firing`.

    reserved: connections for what fires, which jobs and requests cannot use up.
    """

    def __init__(self, database: Database, reserved: Database) -> None:
        self._database = database
        self._reserved = reserved
        upsert = postgresql.insert if database.is_postgresql else sqlite.insert
        # An earlier edit may have had the same due time: what was said of it first stays.
        self._firing = (
            upsert(schedule_firing).values(fired_at=database_now()).on_conflict_do_nothing()
        )

    async def pending(self, within: timedelta, limit: int) -> Sequence[Pending]:
        soon = (
            select(_row.name, _row.next_run, statement_now().label("now"))
            .where(_row.enabled, _row.next_run <= statement_now(within.total_seconds()))
            .order_by(_row.next_run)
            .limit(limit)
        )
        rows = await self._reserved.fetch(soon)
        return [Pending(row.name, row.next_run, row.next_run - row.now) for row in rows]

    async def standings(self, name: str | None = None) -> Sequence[ScheduleStanding]:
        wanted = (
            select(*_STANDING_COLUMNS, _row.last_status, *_OF_JOB)
            .select_from(scheduled_job.outerjoin(job_log, _job.name == _row.last_job))
            .order_by(_row.name)
        )
        if name is not None:
            wanted = wanted.where(_row.name == storable(name))
        return [_standing(row) for row in await self._database.fetch(wanted)]

    async def lock(self, unit: UnitOfWorkProtocol, names: Collection[str]) -> Locked:
        wanted = _due(names)
        free = wanted.with_for_update(skip_locked=True) if self._is_postgresql else wanted
        rows = (await unit.execute(free)).all()
        now = await self._now(unit)
        locked = [StoredSchedule(**row._asdict()) for row in rows]
        missing = set(names) - {row.name for row in rows}
        if not missing:
            return Locked(now, locked)
        asked = _row.name.in_(missing), _row.enabled, _row.next_run.is_not(None)
        others = (await unit.execute(select(_row.name, _row.next_run).where(*asked))).all()
        return Locked(
            now,
            locked,
            busy=frozenset(row.name for row in others if row.next_run <= now),
            ahead=[Due(row.name, row.next_run) for row in others if row.next_run > now],
        )

    async def hold(self, unit: UnitOfWorkProtocol, name: str) -> Locked:
        row = (await unit.execute(_due([name]).with_for_update())).first()
        now = (await unit.execute(select(database_now()))).scalar_one()
        return Locked(now, [] if row is None else [StoredSchedule(**row._asdict())])

    async def _now(self, unit: UnitOfWorkProtocol) -> datetime:
        """The database's time; from now on the transaction waits for nobody for long.

        Not even for one who has an equal unique job, uncommitted.
        """
        asked: list[Any] = [database_now()]
        if self._is_postgresql:
            asked.append(func.set_config("lock_timeout", _LONGEST_WAIT, True))
        now: datetime = (await unit.execute(select(*asked))).one()[0]
        return now

    async def busy_with(self, unit: UnitOfWorkProtocol, names: Collection[str]) -> frozenset[str]:
        unfinished = _job.schedule.in_(names), _job.completed_at.is_(None)
        found = await unit.execute(select(_job.schedule).where(*unfinished).distinct())
        return frozenset(found.scalars())

    async def existing(self, unit: UnitOfWorkProtocol, job_ids: Collection[str]) -> frozenset[str]:
        there = select(_job.name).where(_job.name.in_(job_ids))
        return frozenset((await unit.execute(there)).scalars())

    async def write(self, unit: UnitOfWorkProtocol, fired: Sequence[Fired]) -> None:
        idle = [_advance(it) for it in fired if not it.firings]
        noted = [_advance(it) | _last(it.firings[-1]) for it in fired if it.firings]
        for statement, rows in ((_ADVANCE, idle), (_NOTE, noted)):
            if rows:
                await unit.execute(statement, rows)
        if firings := [_values(firing) for it in fired for firing in it.firings]:
            await unit.execute(self._firing, firings)

    async def follow(self) -> None:
        standing = func.coalesce(_job.status, "").label("status")
        changed = (
            select(_row.name, _row.last_job, standing)
            .select_from(scheduled_job.outerjoin(job_log, _job.name == _row.last_job))
            .where(_row.last_status.in_(_OPEN), standing != _row.last_status)
            .limit(_FOLLOWED)
        )
        rows = await self._reserved.fetch(changed)
        if not rows:
            return  # the rule; SQLite's write lock is not asked for
        async with self._reserved.begin() as connection:
            # What somebody edits, or fires, is looked at again: nobody is to wait for this.
            names = select(_row.name).where(_row.name.in_([row.name for row in rows]))
            free = names.with_for_update(skip_locked=True) if self._is_postgresql else names
            ours = set((await connection.execute(free)).scalars())
            for row in rows:
                if row.name in ours:
                    became = row.status or None
                    told = {"schedule": row.name, "job": row.last_job, "became": became}
                    await connection.execute(_FOLLOW, told)

    async def history(
        self, schedule: str, *, limit: int, before: datetime | None = None
    ) -> Sequence[PastFiring]:
        wanted = (
            select(schedule_firing, *_OF_JOB)
            .select_from(schedule_firing.outerjoin(job_log, _job.name == _firing.job_id))
            .where(_firing.schedule == storable(schedule))
            .order_by(_firing.due_at.desc())
            .limit(limit)
        )
        if before is not None:
            wanted = wanted.where(_firing.due_at < before)
        return [_past(row) for row in await self._database.fetch(wanted)]

    async def forget(self, older_than: timedelta, limit: int) -> int:
        old = _firing.fired_at < statement_now(-older_than.total_seconds())
        oldest = select(_firing.schedule, _firing.due_at).where(old).limit(limit).subquery()
        named = and_(oldest.c.schedule == _firing.schedule, oldest.c.due_at == _firing.due_at)
        if not await self._database.fetch(select(_firing.schedule).where(old).limit(1)):
            return 0
        async with self._database.begin() as connection:
            gone = await connection.execute(
                delete(schedule_firing).where(exists().select_from(oldest).where(named))
            )
            return int(gone.rowcount)

    @property
    def _is_postgresql(self) -> bool:
        return self._database.is_postgresql


def _due(names: Collection[str]) -> Select[Any]:
    return (
        select(*_STORED)
        .where(_row.name.in_(names), _row.enabled, _row.next_run <= statement_now())
        .order_by(_row.name)
    )


def _advance(fired: Fired) -> dict[str, Any]:
    return {"schedule": fired.name, "next": fired.next_run}


def _last(firing: Firing) -> dict[str, Any]:
    return {
        "due": firing.until or firing.due_at,
        "job": firing.job_id,
        "became": firing.status.value,
    }


def _values(firing: Firing) -> dict[str, Any]:
    return {
        "schedule": firing.schedule,
        "due_at": firing.due_at,
        "status": firing.status.value,
        "job_id": firing.job_id,
        "count": firing.count,
        "until": firing.until,
        "detail": None if firing.detail is None else storable(firing.detail),
    }


def _standing(row: Any) -> ScheduleStanding:
    known = row._asdict()
    of_record, of_job = known.pop("last_status"), known.pop("job_status")
    status = of_job or of_record
    started_at, is_first = known.pop("started_at"), known.pop("is_first")
    return ScheduleStanding(
        **known,
        last_status=status and ScheduleStatus(status),
        last_started_at=started_at if is_first else None,
    )


def _past(row: Any) -> PastFiring:
    status = row.status if row.job_status is None else row.job_status
    return PastFiring(
        schedule=row.schedule,
        due_at=row.due_at,
        fired_at=row.fired_at,
        status=ScheduleStatus(status),
        job_id=row.job_id,
        count=row.count,
        until=row.until,
        detail=row.detail,
        started_at=row.started_at if row.is_first else None,
    )
