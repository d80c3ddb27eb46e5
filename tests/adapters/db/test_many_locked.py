"""Outcomes and lines of running jobs while somebody cancels or deletes many of them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from framework_m import FrameworkM, JobStatus
from framework_m.adapters.db.schema import job_log
from framework_m.core.errors import DatabaseUnavailableError
from framework_m.core.interfaces.job_store import Claim, ClaimTerms, FinishedRun, LogLine
from tests.support import jobs
from tests.support.harness import Harness, until

TERMS = ClaimTerms("w", ("default",), timedelta(seconds=10))


async def test_outcomes_are_written_in_the_order_in_which_many_jobs_are_locked(
    postgresql: Harness,
) -> None:
    store = postgresql.app.ports.job_store
    first, second = await claimed(postgresql.app)
    runs = [FinishedRun(it.job_id, it.claim_no, JobStatus.SUCCESS) for it in (second, first)]
    async with postgresql.app.transaction() as unit:
        await unit.execute(lock(first))
        finishing = asyncio.create_task(store.finish(runs))
        await until(lambda: somebody_waits(postgresql.app))
        await unit.execute(text("SET LOCAL lock_timeout = '5s'"))
        await unit.execute(lock(second))
    assert await finishing == {first.job_id, second.job_id}


async def test_a_deleted_job_takes_no_lines_of_others_with_it(postgresql: Harness) -> None:
    store = postgresql.app.ports.job_store
    first, second = await claimed(postgresql.app)
    async with postgresql.app.transaction():
        await postgresql.app.jobs.delete(second.job_id)
        saying = asyncio.create_task(store.say([line(first), line(second)]))
        await until(lambda: somebody_waits(postgresql.app))
    await saying
    assert [it.message for it in await postgresql.app.jobs.lines(first.job_id)] == ["hello"]


async def test_a_deadlock_is_worth_another_try(postgresql: Harness) -> None:
    deadlock = text("DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$")
    with pytest.raises(DatabaseUnavailableError, match="try again: "):
        async with postgresql.app.ports.database.begin() as connection:
            await connection.execute(deadlock)


async def claimed(app: FrameworkM) -> list[Claim]:
    """Two jobs that run, in the order of their ids."""
    await jobs.add.enqueue_many([jobs.add.call(n) for n in range(2)])
    found = await app.ports.job_store.claim_due(TERMS, 2)
    return sorted(found, key=lambda claim: claim.job_id)


def lock(claim: Claim) -> object:
    return select(job_log.c.name).where(job_log.c.name == claim.job_id).with_for_update()


def line(claim: Claim) -> LogLine:
    return LogLine(claim.job_id, claim.claim_no, 0, datetime.now(UTC), "INFO", "hello", None)


async def somebody_waits(app: FrameworkM) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with app.ports.database.begin() as connection:
        return bool((await connection.execute(waiting)).scalar_one())
