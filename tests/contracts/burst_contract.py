"""What every backend promises of a worker that ends when nothing is left to do."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from framework_m import BaseEvent, FrameworkM, JobStatus
from framework_m.core.ids import uuid7
from framework_m.core.interfaces.job_reading import JobFilter
from framework_m.core.interfaces.job_store import ClaimTerms, NewJob
from tests.support import burst_jobs
from tests.support.harness import Harness

MODULES = ("tests.support.burst_jobs",)


class BurstContract:
    """Subclass it with a `harness` fixture."""

    @pytest.fixture
    async def app(self, harness: Harness) -> AsyncIterator[FrameworkM]:
        async with harness.application(MODULES, sweep_interval=0.1) as app:
            yield app

    async def test_it_ends_when_there_is_nothing(self, app: FrameworkM) -> None:
        for _ in range(3):
            assert await app.run_until_empty() == 0

    async def test_what_jobs_enqueue_is_done_too(self, app: FrameworkM) -> None:
        await burst_jobs.leads_to.enqueue(more=5)
        assert await app.run_until_empty() == 6
        assert await statuses(app) == [JobStatus.SUCCESS] * 6

    async def test_what_a_limit_lets_through_is_done_too(self, app: FrameworkM) -> None:
        await app.enqueue_many([burst_jobs.one_by_one.call(n) for n in range(7)])
        await app.run_until_empty()
        assert await statuses(app) == [JobStatus.SUCCESS] * 7

    async def test_a_retry_that_is_due_at_once_is_done(self, app: FrameworkM) -> None:
        await burst_jobs.succeeds_at_the_second.enqueue()
        assert await app.run_until_empty() == 2
        assert await statuses(app) == [JobStatus.SUCCESS]

    async def test_what_waits_for_its_time_is_left(self, app: FrameworkM) -> None:
        failing = await burst_jobs.tries_again_later.enqueue()
        delayed = await burst_jobs.adds.options(delay=timedelta(hours=1)).enqueue(1)
        rated = [await burst_jobs.rarely.enqueue(n) for n in range(3)]
        assert await app.run_until_empty() >= 2
        assert await failing.status() is JobStatus.RETRYING
        assert await delayed.status() is JobStatus.SCHEDULED
        assert [await job.status() for job in rated].count(JobStatus.SUCCESS) == 1
        assert await app.run_until_empty() == 0

    async def test_paused_queues_and_those_of_others_are_left(self, app: FrameworkM) -> None:
        await app.queues.pause("other")
        paused, mine = await burst_jobs.elsewhere.enqueue(), await burst_jobs.adds.enqueue(1)
        assert await app.run_until_empty() == 1
        assert await mine.status() is JobStatus.SUCCESS
        await app.queues.resume("other")
        assert await app.run_until_empty(["default"]) == 0
        assert await paused.status() is JobStatus.QUEUED
        assert await app.run_until_empty("default,other") == 1

    async def test_a_message_that_never_came_is_waited_for(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        # As if whoever enqueued it had died before telling the queue.
        lost = NewJob(uuid7(), "adds", "default", '{"a": 1}', max_attempts=1)
        async with app.ports.units() as unit:
            await app.ports.job_store.insert(unit, [lost])
        await harness.make_due(lost.job_id)
        assert await app.run_until_empty() == 1
        assert await statuses(app) == [JobStatus.SUCCESS]

    async def test_what_a_dead_worker_ran_is_done(self, app: FrameworkM, harness: Harness) -> None:
        orphan = await burst_jobs.adds.enqueue(1)
        await app.ports.relay.close()
        dead = ClaimTerms("dead", ("default",), timedelta(milliseconds=1))
        assert len(await app.ports.job_store.claim(dead, [orphan])) == 1
        assert await app.run_until_empty() == 1
        assert await orphan.status() is JobStatus.SUCCESS

    async def test_events_and_what_comes_of_them_are_waited_for(self, app: FrameworkM) -> None:
        await app.run_until_empty()  # from now on the groups are there
        await app.publish(BaseEvent(event_type="burst.told", data={"hops": 3}))
        assert await app.run_until_empty() == 3
        await burst_jobs.tells.enqueue(hops=2)
        assert await app.run_until_empty() == 3
        ordered = [
            BaseEvent(event_type="burst.ordered", doctype="Doc", doc_id=str(n % 2), data={})
            for n in range(6)
        ]
        await app.events.publish_many(ordered)
        assert await app.run_until_empty() == 6

    async def test_an_event_that_is_put_off_is_left(self, app: FrameworkM) -> None:
        await app.run_until_empty()
        await app.events.publish_many(
            [
                BaseEvent(event_type="burst.refused", doctype="Doc", doc_id="1", data={})
                for _ in range(3)
            ]
        )
        assert await app.run_until_empty() == 0
        assert app.ports.handlers.begun == 4, "three of the one group, the first of the other"

    async def test_it_can_be_told_to_stop(self, app: FrameworkM, harness: Harness) -> None:
        gate, log = harness.folder / "gate", harness.folder / "log"
        running, stop = await burst_jobs.waits_for.enqueue(gate, log), asyncio.Event()
        ending = asyncio.create_task(app.run_until_empty(stop=stop))
        await harness.lines(log, 1)
        waiting = await burst_jobs.adds.options(delay=timedelta(hours=1)).enqueue(1)
        stop.set()
        gate.touch()
        assert await ending == 1
        assert await running.status() is JobStatus.SUCCESS
        assert await waiting.status() is JobStatus.SCHEDULED


async def statuses(app: FrameworkM) -> list[JobStatus]:
    return [job.status for job in await app.ports.job_store.list(JobFilter())]
