"""Faults of taskiq 0.13's scheduler: each shown on the bare library, then its absence.

Ours is a TaskiqScheduler, so taskiq's own loop (`taskiq scheduler`) can drive it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from taskiq import InMemoryBroker, ScheduledTask, ScheduleSource, TaskiqScheduler
from taskiq.cli.scheduler.run import SchedulerLoop

from framework_m.adapters.scheduling.taskiq_scheduler import RecordScheduler
from tests.support import jobs
from tests.support.harness import Harness, until
from tests.support.schedules import (
    EVERY_SECOND,
    NEVER_SOON,
    due_times,
    fired,
    jobs_of,
    make_due,
    past,
    require_every_second,
    require_one_job_each,
    spoil,
)

OFTEN = timedelta(seconds=0.1)


class Source(ScheduleSource):
    """One schedule that is due, and perhaps one that cannot be read."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self._is_broken = is_broken
        self.looks = 0

    async def get_schedules(self) -> list[ScheduledTask]:
        self.looks += 1
        known: dict[str, Any] = {"args": [], "kwargs": {}, "time": datetime.now(UTC)}
        found = [ScheduledTask(task_name="count", labels={}, schedule_id="one", **known)]
        if self._is_broken:
            raise ValueError("one of them is no JSON")
        return found


@pytest.fixture
async def harness(sqlite: Harness) -> Harness:
    return sqlite


@contextlib.asynccontextmanager
async def looping(*schedulers: TaskiqScheduler) -> AsyncIterator[None]:
    """taskiq's own loop around each of them."""
    before = asyncio.all_tasks()
    loops = [
        asyncio.create_task(SchedulerLoop(it).run(update_interval=OFTEN, loop_interval=OFTEN))
        for it in schedulers
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        # What a loop has begun and not ended, as a look at the records, it leaves behind.
        await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)


@contextlib.asynccontextmanager
async def ours(harness: Harness, count: int) -> AsyncIterator[None]:
    """taskiq's loops around the schedulers of so many applications, which look no more."""
    async with contextlib.AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(harness.application()) for _ in range(count)]
        schedulers = [cast("RecordScheduler", app.ports.scheduler) for app in apps]
        await stack.enter_async_context(looping(*schedulers))
        yield


class TestTwoLoops:
    """Two scheduler processes fire everything twice."""

    async def test_bare(self) -> None:
        broker = InMemoryBroker()
        runs = asyncio.Semaphore(0)

        @broker.task("count")
        async def count() -> None:
            runs.release()

        async with looping(*(TaskiqScheduler(broker, [Source()]) for _ in range(2))):
            for _ in range(2):
                await asyncio.wait_for(runs.acquire(), 10)

    async def test_ours(self, harness: Harness) -> None:
        await harness.app.schedule(jobs.add, EVERY_SECOND, name="ticks", catch_up="all", a=1)
        async with ours(harness, 2):
            await fired(harness, "ticks", 3)
        firings = await past(harness, "ticks")
        require_every_second(due_times(firings))
        require_one_job_each(firings, await jobs_of(harness, "ticks"))


class TestOneThatCannotBeRead:
    """It hides all the others of its source."""

    async def test_bare(self) -> None:
        broker, source = InMemoryBroker(), Source(is_broken=True)

        @broker.task("count")
        async def count() -> None:
            raise AssertionError("it is hidden")

        async def looked() -> bool:
            return source.looks > 2

        async with looping(TaskiqScheduler(broker, [source])):
            await until(looked)

    async def test_ours(self, harness: Harness) -> None:
        for name in ("broken", "good"):
            await harness.app.schedule(jobs.add, NEVER_SOON, name=name, a=1)
        await spoil(harness, "broken", cron_expression="?", args="{", overlap="", timezone="")
        async with ours(harness, 1):
            for name in ("broken", "good"):
                await make_due(harness, name)
            for name in ("broken", "good"):
                await fired(harness, name)
        assert len(await jobs_of(harness, "good")) == 1


class TestNewOnes:
    """One that is added, or edited, while a loop runs is seen a minute later."""

    async def test_ours(self, harness: Harness) -> None:
        async with ours(harness, 1):
            await harness.app.schedule(jobs.add, EVERY_SECOND, name="new", a=1)
            await fired(harness, "new")
            await harness.app.schedule(jobs.add, EVERY_SECOND, name="new", a=2)
            known = len(await past(harness, "new"))
            await fired(harness, "new", known + 1)
        later = (await jobs_of(harness, "new"))[known:]
        assert [job.args for job in later] == [{"a": 2}] * len(later)
