"""What removing old jobs promises: what goes, what stays, and that nobody waits for it."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework_m import FrameworkM, JobHandle, JobStatus
from framework_m.core.interfaces.job_pruning import JobPruning, OldJob
from framework_m.core.interfaces.job_store import ClaimTerms, FinishedRun, LogLine
from tests.support import unique_jobs as jobs
from tests.support.harness import Harness

TERMS = ClaimTerms("w", ("default",), timedelta(seconds=60))
A_WEEK = timedelta(days=7)
MODULES = ("tests.support.unique_jobs",)
ENDED = (JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELLED)


class JobPruningContract:
    """Subclass it with the fixtures `harness` and `pruning`."""

    @pytest.fixture
    async def app(self, harness: Harness) -> Any:
        async with harness.application(MODULES) as app:
            yield app

    async def test_of_each_status_what_ended_that_long_ago_goes(
        self, app: FrameworkM, harness: Harness, pruning: JobPruning
    ) -> None:
        old = {status: await self._ended(app, harness, status, days=8) for status in ENDED}
        new = [await self._ended(app, harness, status, days=6) for status in ENDED]
        waiting = await jobs.bill.enqueue(99)
        await harness.change(waiting, enqueued_at=self._ago(90))
        for status in ENDED:
            [found] = await self._old(pruning, status)
            assert (found.job_id, found.is_removable) == (old[status], True)
            assert await self._remove(pruning, status, [old[status], *new, waiting]) == 1
        assert {job.job_id for job in await app.jobs.list()} == {*new, waiting}

    async def test_a_job_that_ended_lately_stays_however_long_it_waited(
        self, app: FrameworkM, harness: Harness, pruning: JobPruning
    ) -> None:
        job_id = await self._ended(app, harness, JobStatus.SUCCESS, days=1)
        await harness.change(job_id, enqueued_at=self._ago(30))
        [found] = await self._old(pruning, JobStatus.SUCCESS)
        assert not found.is_removable
        assert await self._remove(pruning, JobStatus.SUCCESS, [job_id]) == 0

    async def test_what_has_changed_since_it_was_found_stays(
        self, app: FrameworkM, harness: Harness, pruning: JobPruning
    ) -> None:
        job_id = await self._ended(app, harness, JobStatus.FAILED, days=8)
        [found] = await self._old(pruning, JobStatus.FAILED)
        await harness.change(job_id, status="Queued")
        assert await self._remove(pruning, JobStatus.FAILED, [found.job_id]) == 0
        assert await app.jobs.get(job_id) is not None

    async def test_all_that_is_kept_of_a_job_goes_with_it(
        self, app: FrameworkM, harness: Harness, pruning: JobPruning
    ) -> None:
        job_id = await jobs.bill.enqueue(1)
        [claim] = await app.ports.job_store.claim(TERMS, [job_id])
        said = [
            LogLine(job_id, claim.claim_no, n, datetime.now(UTC), "INFO", "x") for n in range(3)
        ]
        await app.ports.job_store.say(said)
        failed = FinishedRun(job_id, claim.claim_no, JobStatus.FAILED, error="E: x")
        await app.ports.job_store.finish([failed])
        await self._aged(harness, job_id, days=8)
        [found] = await self._old(pruning, JobStatus.FAILED)
        assert found.lines == 3
        assert await harness.attempts(job_id) == 1
        assert await self._remove(pruning, JobStatus.FAILED, [job_id]) == 1
        assert await harness.attempts(job_id) == 0
        assert await app.jobs.lines(job_id) == []

    async def test_a_unique_key_outlives_pruning_until_its_time_is_over(
        self, app: FrameworkM, harness: Harness, pruning: JobPruning
    ) -> None:
        greeting = await self._ended_run(app, jobs.greet.call("Ada"))
        for_good = await self._ended_run(app, jobs.bill.call(2))
        for job_id in (greeting, for_good):
            await self._aged(harness, job_id, days=8)
        await harness.change(for_good, unique_lock="bill for good", unique_until=None)
        both = {greeting, for_good}
        found = await self._old(pruning, JobStatus.SUCCESS)
        assert {job.job_id: job.is_removable for job in found} == dict.fromkeys(both, False)
        assert await self._remove(pruning, JobStatus.SUCCESS, both) == 0
        assert await jobs.greet.enqueue("Ada") == greeting, "its period is not over yet"

        await harness.change(greeting, unique_until=self._ago(1))
        assert await self._remove(pruning, JobStatus.SUCCESS, both) == 1
        assert [job.job_id for job in await app.jobs.list()] == [for_good]
        assert not (await jobs.greet.enqueue("Ada")).existed

    async def test_what_runs_a_kept_job_again_stays_as_long_as_that(
        self, app: FrameworkM, harness: Harness, pruning: JobPruning
    ) -> None:
        failed = await self._ended(app, harness, JobStatus.FAILED, days=9)
        again = await self._ended(app, harness, JobStatus.SUCCESS, days=8)
        await harness.change(again, retry_of=failed)
        assert await self._remove(pruning, JobStatus.SUCCESS, [again]) == 0
        assert await self._remove(pruning, JobStatus.FAILED, [failed]) == 1
        assert await self._remove(pruning, JobStatus.SUCCESS, [again]) == 1

    async def test_old_jobs_come_by_age_some_at_a_time(
        self, app: FrameworkM, harness: Harness, pruning: JobPruning
    ) -> None:
        first, twin, *others = [
            await self._ended(app, harness, JobStatus.SUCCESS, days=8) for _ in range(5)
        ]
        at_once = self._ago(12)
        for job_id in (first, twin):
            await harness.change(job_id, enqueued_at=at_once)
        for days, job_id in zip((9, 11, 10), others, strict=True):
            await harness.change(job_id, enqueued_at=self._ago(days))

        seen: list[OldJob] = []
        while some := await self._old(pruning, JobStatus.SUCCESS, 1, seen[-1] if seen else None):
            assert len(some) == 1
            seen += some
        assert len({job.job_id for job in seen}) == 5
        assert [job.enqueued_at for job in seen] == sorted(job.enqueued_at for job in seen)
        assert {seen[0].job_id, seen[1].job_id} == {first, twin}

    async def test_two_at_once_remove_everything_once(
        self, app: FrameworkM, harness: Harness, pruning: JobPruning
    ) -> None:
        ids = [await self._ended(app, harness, JobStatus.SUCCESS, days=8) for _ in range(20)]
        counts = await asyncio.gather(
            *(self._remove(pruning, JobStatus.SUCCESS, ids) for _ in range(3))
        )
        assert sum(counts) == len(ids)
        assert await app.jobs.list() == []

    async def _ended(
        self, app: FrameworkM, harness: Harness, status: JobStatus, *, days: float
    ) -> str:
        """The id of a job that ended like that, so many days ago."""
        self._calls = getattr(self, "_calls", 0) + 1
        job_id = await self._ended_run(app, jobs.bill.call(self._calls), status)
        await self._aged(harness, job_id, days=days)
        return job_id

    async def _ended_run(
        self, app: FrameworkM, call: Any, status: JobStatus = JobStatus.SUCCESS
    ) -> str:
        handle: JobHandle[Any]
        [handle] = await app.enqueue_many([call])
        if status is JobStatus.CANCELLED:
            await app.jobs.cancel(handle)
            return handle.job_id
        [claim] = await app.ports.job_store.claim(TERMS, [handle])
        run = FinishedRun(claim.job_id, claim.claim_no, status, result='"1"')
        assert await app.ports.job_store.finish([run]) == {claim.job_id}
        return claim.job_id

    async def _aged(self, harness: Harness, job_id: str, *, days: float) -> None:
        ago = self._ago(days)
        await harness.change(job_id, enqueued_at=ago, completed_at=ago, updated_at=ago)

    def _ago(self, days: float) -> datetime:
        return datetime.now(UTC) - timedelta(days=days)

    async def _old(
        self,
        pruning: JobPruning,
        status: JobStatus,
        limit: int = 100,
        after: OldJob | None = None,
    ) -> Sequence[OldJob]:
        return await pruning.find_old(status, older_than=A_WEEK, limit=limit, after=after)

    async def _remove(
        self, pruning: JobPruning, status: JobStatus, job_ids: Collection[str]
    ) -> int:
        return await pruning.remove_old(status, older_than=A_WEEK, job_ids=job_ids)
