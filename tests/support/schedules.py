"""What tests need of schedules: make them due, spoil them, and wait for what becomes of them."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from framework_m import FrameworkM, JobLog
from framework_m.adapters.db.schedule_schema import scheduled_job
from framework_m.core.doctypes.scheduled_job import ScheduledJob, ScheduleStatus
from framework_m.core.interfaces.schedule_store import Due, PastFiring
from tests.support.harness import Harness, until

EVERY_SECOND = "* * * * * *"
NEVER_SOON = "0 0 29 2 1"
"""29 February, if that is a Monday: not while a test runs."""
MANY = 10_000
_PAUSE = 0.05
"""Due times are a second apart: to look more often only costs."""


def in_the_past(*, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
    """Whole seconds, as due times are."""
    span = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return datetime.now(UTC).replace(microsecond=0) - span


async def spoil(harness: Harness, name: str, **columns: Any) -> None:
    """Let a record say something else, past all checks."""
    row = update(scheduled_job).where(scheduled_job.c.name == name)
    async with harness.app.transaction() as unit:
        await unit.execute(row.values(columns))


async def make_due(
    harness: Harness, name: str, at: datetime | None = None, *, hasten: FrameworkM | None = None
) -> datetime:
    """As if its time had come; which is that.

    hasten: the application whose scheduler is told at once; the others see it at their next look.
    """
    due_at = at or in_the_past(minutes=30)
    await spoil(harness, name, next_run=due_at)
    if hasten is not None:
        await hasten.ports.scheduler.arm([Due(name, due_at)])
    return due_at


async def next_run(harness: Harness, name: str) -> datetime | None:
    """As it stands in the database, whatever else is wrong with the record."""
    [found] = await harness.app.ports.database.fetch(
        select(scheduled_job.c.next_run).where(scheduled_job.c.name == name)
    )
    moment: datetime | None = found.next_run
    return moment


async def past(harness: Harness, name: str) -> list[PastFiring]:
    """What became of its due times, the first first; also of one that is deleted."""
    found = await harness.app.ports.schedule_store.history(name, limit=MANY)
    return sorted(found, key=lambda firing: firing.due_at)


async def fired(harness: Harness, name: str, count: int = 1) -> list[PastFiring]:
    """The same, once there are so many entries."""

    async def look() -> list[PastFiring] | None:
        found = await past(harness, name)
        return found if len(found) >= count else None

    return await until(look, pause=_PAUSE)


async def fires_again(harness: Harness, name: str, times: int = 1) -> None:
    """Until it has fired so often from now on."""
    await fired(harness, name, len(await past(harness, name)) + times)


async def jobs_of(harness: Harness, name: str) -> list[JobLog]:
    """Its jobs, those of the first due time first, with all they hold."""
    listed = await harness.app.jobs.list(limit=MANY)
    whole = [await harness.record(job.job_id) for job in listed if job.schedule == name]
    return sorted(whole, key=lambda job: job.job_id)


async def job_of(harness: Harness, firing: PastFiring) -> JobLog:
    assert firing.job_id is not None, firing
    return await harness.record(firing.job_id)


async def stored(harness: Harness, name: str) -> ScheduledJob:
    return await harness.app.repository(ScheduledJob).get(name)


async def stands(harness: Harness, name: str, *statuses: ScheduleStatus) -> ScheduledJob:
    """The record, once this is what became of its last due time."""

    async def look() -> ScheduledJob | None:
        record = await stored(harness, name)
        return record if record.last_status in statuses else None

    return await until(look, pause=_PAUSE)


def time_in(job_id: str) -> datetime:
    """What a UUIDv7 says of when it was made."""
    return datetime.fromtimestamp((UUID(job_id).int >> 80) / 1000, UTC)


def due_times(firings: Collection[PastFiring]) -> list[datetime]:
    return [firing.due_at for firing in firings]


def statuses(firings: Collection[PastFiring]) -> list[ScheduleStatus]:
    return [firing.status for firing in firings]


def require_one_job_each(firings: Sequence[PastFiring], jobs: Sequence[JobLog]) -> None:
    """Each due time has its job, and each job its due time, by which it is called."""
    assert [firing.job_id for firing in firings] == [job.job_id for job in jobs]
    assert due_times(firings) == [time_in(job.job_id) for job in jobs]
    assert due_times(firings) == [job.due_at for job in jobs]
    assert due_times(firings) == [job.scheduled_at for job in jobs]


def require_every_second(moments: Sequence[datetime]) -> None:
    """No second between the first and the last is left out, and none is there twice."""
    first = moments[0]
    assert list(moments) == [first + timedelta(seconds=n) for n in range(len(moments))]


async def words(log: Path) -> list[str]:
    """What jobs wrote there so far."""
    return await asyncio.to_thread(lambda: log.read_text().split() if log.exists() else [])
