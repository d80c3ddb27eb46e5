"""What every backend promises about finding jobs, and about acting on all that were found."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from framework_m import JobLog, JobStatus, User, acting_as
from framework_m.adapters.db.schema import job_tag
from framework_m.core.errors import FilterError
from framework_m.core.interfaces.job_reading import JobCount, JobCursor
from framework_m.core.interfaces.job_store import ClaimTerms
from tests.support import jobs
from tests.support.harness import Harness

TERMS = ClaimTerms("a", ("default",), timedelta(seconds=10))
MANY = 205
"""More than one transaction takes."""


class JobListContract:
    """Subclass it with a `harness` fixture."""

    async def test_jobs_are_found_by_tag_user_and_time(self, harness: Harness) -> None:
        app = harness.app
        with acting_as(User("ada")):
            tagged = await jobs.add.options(tags=["a", "b", "a", "\x00"]).enqueue(1)
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        old = await jobs.add.enqueue(2)
        await harness.change(old, enqueued_at=moment)
        assert await self._ids(app.jobs.list(tag="a")) == [tagged]
        assert await self._ids(app.jobs.list(tag="\x00", user_id="ada", status=JobStatus.QUEUED))
        assert await self._ids(app.jobs.list(tag="a", user_id="ben")) == []
        assert await self._ids(app.jobs.list(until=moment)) == []
        later = moment + timedelta(microseconds=1000)
        assert await self._ids(app.jobs.list(since=moment, until=later)) == [old]
        assert await self._ids(app.jobs.list(since=later, tag="b")) == [tagged]
        with pytest.raises(FilterError, match="since: must be a time with its offset"):
            await app.jobs.list(since=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point

    async def test_tags_go_with_their_job(self, harness: Harness) -> None:
        [first, _] = await harness.app.enqueue_many(
            [jobs.add.options(tags=["a", "b"], unique_key="k").call(n) for n in range(2)]
        )
        assert await self._tags(harness) == 2, "who was kept out has none"
        await harness.app.jobs.delete(first)
        assert await self._tags(harness) == 0

    async def test_pages_meet_every_job_once_though_many_are_of_one_moment(
        self, harness: Harness
    ) -> None:
        made = await jobs.add.enqueue_many([jobs.add.options(tags=["t"]).call(n) for n in range(7)])
        moment = datetime.now(UTC)
        for job_id in made[:5]:
            await harness.change(job_id, enqueued_at=moment)
        seen: list[str] = []
        page = await harness.app.jobs.list(limit=2)
        while page:
            seen += [job.job_id for job in page]
            before = JobCursor.decode(JobCursor.of(page[-1]).encode())
            assert before == JobCursor.of(page[-1])
            page = await harness.app.jobs.list(limit=2, before=before)
        assert seen == [*made[4::-1], *made[:4:-1]]

    async def test_jobs_are_counted_up_to_a_bound(self, harness: Harness) -> None:
        await jobs.add.enqueue_many([jobs.add.options(tags=["t"]).call(n) for n in range(5)])
        app = harness.app
        assert await app.jobs.count(tag="t") == JobCount(5, True)
        assert await app.jobs.count(up_to=5, job_name="add") == JobCount(5, True)
        assert await app.jobs.count(up_to=4) == JobCount(4, False)
        assert await app.jobs.count(status=JobStatus.FAILED) == JobCount(0, True)

    async def test_a_family_is_found_by_its_first_job(self, harness: Harness) -> None:
        first = await jobs.add.enqueue(1)
        child = await jobs.add.options(correlation_id=str(first)).enqueue(2)
        await jobs.add.enqueue(3)
        assert await self._ids(harness.app.jobs.list(correlation_id=first)) == [child, first]
        assert await self._ids(harness.app.jobs.list(correlation_id=child)) == []

    async def test_all_that_fit_are_cancelled_run_again_and_deleted(self, harness: Harness) -> None:
        app = harness.app
        made = await jobs.add.enqueue_many([jobs.add.call(n) for n in range(MANY)])
        other = await jobs.on_another_queue.enqueue()
        [claim] = await app.ports.job_store.claim(TERMS, [made[0]])
        cancelled = await app.jobs.cancel_many(queue="default")
        assert (cancelled.matched, cancelled.done, cancelled.next) == (MANY, MANY, None)
        assert (await harness.record(claim.job_id)).status is JobStatus.RUNNING
        assert (await harness.record(claim.job_id)).cancel_requested_at is not None
        await app.ports.job_store.release([claim])
        assert (await app.jobs.count(status=JobStatus.CANCELLED)).count == MANY

        some = await app.jobs.retry_many(status=JobStatus.CANCELLED, limit=3)
        assert (some.matched, some.done) == (3, 3)
        assert some.next is not None
        rest = await app.jobs.retry_many(status=JobStatus.CANCELLED, before=some.next)
        assert (rest.done, rest.next) == (MANY - 3, None)
        assert (await app.jobs.retry_many(status=JobStatus.CANCELLED)).matched == 0
        again = await app.jobs.list(status=JobStatus.QUEUED, job_name="add", limit=MANY)
        assert {job.retry_of for job in again} == set(made)

        gone = await app.jobs.delete_many(job_name="add")
        assert (gone.matched, gone.done) == (2 * MANY, 2 * MANY)
        assert await self._ids(app.jobs.list()) == [other]

    async def test_what_runs_again_runs_once_whoever_asks_at_once(self, harness: Harness) -> None:
        app = harness.app
        await jobs.boom.enqueue_many([jobs.boom.call(str(n)) for n in range(30)])
        await app.jobs.cancel_many(job_name="boom")
        both = await asyncio.gather(*(app.jobs.retry_many(job_name="boom") for _ in range(2)))
        assert sum(outcome.done for outcome in both) == 30
        assert (await app.jobs.count(status=JobStatus.QUEUED)).count == 30

    async def test_a_unique_job_that_is_there_already_is_not_run_again(
        self, harness: Harness
    ) -> None:
        app = harness.app
        unique = jobs.add.options(unique_key="k")
        old = await unique.enqueue(1)
        await app.jobs.cancel(old)
        new = await unique.enqueue(2)
        outcome = await app.jobs.retry_many(status=JobStatus.CANCELLED)
        assert (outcome.matched, outcome.done) == (1, 0)
        [refused] = outcome.refused
        assert (refused.job_id, refused.reason) == (old, f"is there already, as job {new}")

    async def test_retried_jobs_run(self, harness: Harness) -> None:
        app = harness.app
        old = await jobs.add.options(tags=["t"]).enqueue(1)
        await app.jobs.cancel(old)
        async with app.worker():
            await app.jobs.retry_many(tag="t")
            [new] = await app.jobs.list(tag="t", limit=1)
            assert (await harness.ended(new.job_id)).result == 2

    async def test_it_belongs_to_the_transaction_of_the_context(self, harness: Harness) -> None:
        app = harness.app
        job_id = await jobs.add.enqueue(1)
        with pytest.raises(ZeroDivisionError):
            async with app.transaction():
                await app.jobs.cancel_many(job_name="add")
                await app.jobs.retry_many(job_name="add")
                await app.jobs.delete_many(job_name="add")
                raise ZeroDivisionError
        assert await self._ids(app.jobs.list(status=JobStatus.QUEUED)) == [job_id]

    async def test_all_jobs_are_meant_only_where_that_is_said(self, harness: Harness) -> None:
        app = harness.app
        await jobs.add.enqueue(1)
        for act in (app.jobs.cancel_many, app.jobs.retry_many, app.jobs.delete_many):
            with pytest.raises(FilterError, match="name a filter"):
                await act(limit=10)
        assert (await app.jobs.cancel_many(everything=True)).done == 1

    async def _ids(self, listing: Awaitable[Sequence[JobLog]]) -> list[str]:
        return [job.job_id for job in await listing]

    async def _tags(self, harness: Harness) -> int:
        async with harness.app.transaction() as unit:
            found = await unit.execute(select(func.count()).select_from(job_tag))
            return int(found.scalar_one())
