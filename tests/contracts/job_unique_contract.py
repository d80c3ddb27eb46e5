"""What every backend promises about unique jobs and priorities."""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from framework_m import FrameworkM, JobHandle, JobStatus, Priority
from framework_m.core.interfaces.job_store import ClaimTerms
from tests.support import unique_jobs as jobs
from tests.support.harness import Harness, until

MODULES = ("tests.support.unique_jobs",)
TERMS = ClaimTerms("w", ("default",), timedelta(seconds=10))


class JobUniqueContract:
    """Subclass it with a `harness` fixture."""

    @pytest.fixture
    async def app(self, harness: Harness) -> AsyncIterator[FrameworkM]:
        async with harness.application(MODULES) as app:
            yield app

    async def test_asking_again_gives_the_job_that_is_there(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        first = await jobs.bill.enqueue(1)
        again = await jobs.bill.enqueue(invoice=1, currency="EUR")
        other = await jobs.bill.enqueue(1, "CHF")
        assert (first.existed, again, again.existed, other.existed) == (False, first, True, False)
        async with app.worker():
            assert await again.result(timeout=20) == "1 EUR"
            assert await other.result(timeout=20) == "1 CHF"
            assert not (await jobs.bill.enqueue(1)).existed, "it has ended"
        assert len(await app.jobs.list()) == 3

    async def test_only_chosen_arguments_and_given_keys_count(self, app: FrameworkM) -> None:
        first = await jobs.remind.enqueue(1, "soon")
        assert await jobs.remind.enqueue(1, "at last") == first
        keyed = jobs.noted.options(unique_key="x" * 300)
        calls = [keyed.call(Path("a")), jobs.noted.call(Path("a")), keyed.call(Path("b"))]
        one, plain, same, last = await app.enqueue_many([*calls, jobs.remind.call(1, "now")])
        assert last == first
        assert (one, one.existed, plain.existed, same.existed) == (same, False, False, True)
        assert plain != one

    async def test_it_is_free_again_when_the_job_has_ended_however_it_did(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        store = app.ports.job_store
        failing = await jobs.bill.enqueue(1, fail=True)
        async with app.worker():
            await harness.reached(failing, JobStatus.RETRYING)
            assert await jobs.bill.enqueue(1, fail=True) == failing, "it waits for its retry"
            await harness.make_due(failing)
            assert (await harness.ended(failing)).status is JobStatus.FAILED
        second = await jobs.bill.enqueue(1, fail=True)
        assert not second.existed
        await second.cancel()
        third = await jobs.bill.enqueue(1, fail=True)
        assert not third.existed
        [claim] = await store.claim(TERMS, [third])
        await store.start_alone(claim)
        await harness.change(third, lease_until=datetime.now(UTC) - timedelta(seconds=60))
        found = await store.rescue(9, patience=timedelta(hours=1), max_rescues=1)
        assert list(found.poison) == [third]
        fourth = await jobs.bill.enqueue(1, fail=True)
        assert not fourth.existed
        await app.jobs.delete(fourth)
        assert not (await jobs.bill.enqueue(1, fail=True)).existed

    async def test_without_running_one_more_may_wait(
        self, app: FrameworkM, harness: Harness, tmp_path: Path
    ) -> None:
        gate, log = tmp_path / "gate", tmp_path / "log"
        async with app.worker():
            first = await jobs.reindex.enqueue(gate, log)
            await harness.lines(log, 1)
            async with app.transaction():  # so that it waits while it is asked for again
                second = await jobs.reindex.enqueue(gate, log)
                assert await jobs.reindex.enqueue(gate, log) == second != first
            gate.touch()
            for handle in (first, second):
                await handle.result(timeout=20)

    async def test_a_period_outlasts_the_job_and_then_is_over(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        async with app.worker():
            first = await jobs.greet.enqueue("Ada")
            await first.result(timeout=20)
            assert await jobs.greet.enqueue("Ada") == first
            await harness.change(first, unique_until=datetime.now(UTC) - timedelta(seconds=1))
            assert not (await jobs.greet.enqueue("Ada")).existed
            again = await app.jobs.retry(first)
            assert again.existed, "another has the key by now"
            await again.result(timeout=20)
            rerun = await app.jobs.retry(again)
            assert (rerun != again, rerun.existed) == (True, False), "its own lock is no hindrance"
            assert await jobs.greet.enqueue("Ada") == rerun

    async def test_a_transaction_decides_for_those_who_ask_meanwhile(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        async def ask() -> JobHandle[str]:
            return await app.jobs.enqueue("bill", invoice=1)

        with contextlib.suppress(RuntimeError):
            async with app.transaction():
                mine = await jobs.bill.enqueue(1)
                # Of another context, so of a transaction of its own: it waits for this one.
                other = _in_another_context(ask())
                await asyncio.sleep(0)
                raise RuntimeError
        theirs = await other
        assert (theirs != mine, theirs.existed) == (True, False)
        await theirs.cancel()
        async with app.transaction():
            mine = await jobs.bill.enqueue(1)
            other = _in_another_context(ask())
            await asyncio.sleep(0)
        theirs = await other
        assert (theirs, theirs.existed) == (mine, True)

    async def test_urgent_jobs_go_first(self, app: FrameworkM, tmp_path: Path) -> None:
        log = tmp_path / "log"
        assert await _priority(app, await jobs.noted.enqueue(log)) is Priority.LOW
        levels = list(reversed(Priority)) * 2
        handles = [await jobs.noted.options(priority=level).enqueue(log) for level in levels]
        [low, *_] = [job.job_id for job in await app.jobs.list() if job.job_id not in handles]
        await app.jobs.delete(low)
        await _told(app, handles)
        async with app.worker():
            for handle in handles:
                await handle.result(timeout=20)
        in_order = sorted(range(len(levels)), key=lambda number: (levels[number], number))
        assert log.read_text().split() == [handles[number] for number in in_order]


async def _told(app: FrameworkM, handles: Sequence[JobHandle[Any]]) -> None:
    """Until the queue has been told of all of them, where it has to be."""

    async def look() -> bool:
        records = [await handle.record() for handle in handles]
        return all(job.dispatched_at for job in records)

    if app.ports.job_queue.needs_dispatch:
        await until(look)


async def _priority(app: FrameworkM, job_id: str) -> Priority:
    job = await app.jobs.get(job_id)
    assert job is not None
    return Priority(job.priority)


def _in_another_context(
    asked: Coroutine[Any, Any, JobHandle[str]],
) -> "asyncio.Task[JobHandle[str]]":
    return asyncio.get_running_loop().create_task(asked, context=contextvars.Context())
