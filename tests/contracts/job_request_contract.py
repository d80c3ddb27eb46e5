"""What every backend promises about asking for runs: many, later, otherwise; and about attempts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from framework_m import JobStatus
from framework_m.core.errors import ArgumentError
from tests.support import jobs
from tests.support.harness import Harness

BIG = 3_000_000


class Boom(Exception):
    """Raised to leave a transaction."""


class JobRequestContract:
    """Subclass it with a `harness` fixture."""

    async def test_a_delayed_job_waits_for_its_time(self, harness: Harness) -> None:
        async with harness.app.worker():
            soon = await jobs.add.options(delay=0.3).enqueue(1)
            later = await jobs.add.options(delay=timedelta(hours=1)).enqueue(2)
            assert await soon.status() is JobStatus.SCHEDULED
            assert await soon.result(timeout=20) == 2
            job = await harness.record(soon)
            assert job.started_at is not None
            assert job.started_at >= job.scheduled_at > job.enqueued_at
            assert await later.status() is JobStatus.SCHEDULED

    async def test_a_job_starts_not_before_the_time_it_was_asked_for(
        self, harness: Harness
    ) -> None:
        async with harness.app.worker():
            at = datetime.now(UTC) + timedelta(seconds=0.3)
            handle = await jobs.add.options(at=at).enqueue(1)
            assert await handle.result(timeout=20) == 2
        job = await harness.record(handle)
        assert abs(job.scheduled_at - at) < timedelta(milliseconds=1)
        assert job.started_at is not None
        assert job.started_at >= job.scheduled_at

    async def test_a_time_that_has_passed_is_now(self, harness: Harness) -> None:
        past = datetime.now(UTC) - timedelta(days=1)
        for request in (jobs.add.options(at=past), jobs.add.options(delay=0)):
            assert await (await request.enqueue(1)).status() is JobStatus.QUEUED

    async def test_many_due_at_once_all_run(self, harness: Harness) -> None:
        at = datetime.now(UTC) + timedelta(seconds=0.5)
        async with harness.app.worker():
            request = jobs.add.options(at=at)
            handles = await jobs.add.enqueue_many([request.call(n) for n in range(300)])
            results = [await handle.result(timeout=20) for handle in handles]
        assert results == [n + 1 for n in range(300)]

    async def test_a_delayed_job_of_a_process_that_is_gone_still_runs(
        self, harness: Harness
    ) -> None:
        async with harness.application() as gone:
            handle = await gone.enqueue("add", a=0)
            delayed = gone.jobs.function("add").options(delay=0.3)
            [later] = await gone.enqueue_many([delayed.call(a=1)])
        async with harness.application().worker():
            assert (await harness.ended(handle)).result == 1
            assert (await harness.ended(later)).result == 2

    async def test_a_run_may_have_options_of_its_own(self, harness: Harness) -> None:
        request = jobs.boom.options(queue="other", retries=1, tags=["a", "b"])
        handle = await request.options(correlation_id="order 7", tags=["c"]).enqueue()
        job = await harness.record(handle)
        assert (job.queue, job.max_attempts, job.tags) == ("other", 2, ("c",))
        assert [
            found.job_id for found in await harness.app.jobs.list(correlation_id="order 7")
        ] == [handle]

    async def test_many_runs_are_asked_for_at_once(self, harness: Harness) -> None:
        async with harness.app.worker():
            calls = [jobs.add.call(n, b=2) for n in range(50)]
            handles = await jobs.add.enqueue_many(calls)
            assert [await handle.result(timeout=20) for handle in handles] == [
                n + 2 for n in range(50)
            ]
            different = await harness.app.enqueue_many([jobs.add.call(1), jobs.plain.call("a")])
            assert [await handle.result(timeout=20) for handle in different] == [2, "A"]
            assert await jobs.add.enqueue_many([]) == []

    async def test_many_runs_are_asked_for_or_none(self, harness: Harness) -> None:
        wrong: Any = "x"
        with pytest.raises(ArgumentError, match="a: "):
            await jobs.add.enqueue_many([jobs.add.call(1), jobs.add.call(wrong)])
        with pytest.raises(Boom):
            async with harness.app.transaction() as tx:
                await tx.enqueue_many([jobs.add.call(1), jobs.add.call(2)])
                await tx.enqueue(jobs.add.options(delay=1), 3)
                await tx.enqueue("add", a=4)
                raise Boom
        assert await harness.app.jobs.list() == []

    async def test_taskiqs_word_for_it_works(self, harness: Harness) -> None:
        async with harness.app.worker():
            assert await (await jobs.add.kiq(1)).result(timeout=20) == 2
            assert await (await jobs.add.options(delay=0.01).kiq(2)).result(timeout=20) == 3

    async def test_a_backoff_of_ones_own_is_followed(self, harness: Harness) -> None:
        async with harness.app.worker():
            handle = await jobs.own_backoff.enqueue()
            assert await handle.result(timeout=20) == 3

    async def test_several_attempts_are_kept_with_their_errors(self, harness: Harness) -> None:
        async with harness.app.worker():
            handle = await jobs.fails_differently.enqueue()
            job = await harness.ended(handle)
        assert job.status is JobStatus.FAILED
        told = [(it.attempt, it.error) for it in job.attempts]
        assert told == [(1, "ValueError: attempt 1"), (2, "KeyError: 'attempt 2'")]
        assert all("fails_differently" in (it.traceback or "") for it in job.attempts)
        [listed] = await harness.app.jobs.list()
        assert listed.attempts == (), "only where one job is asked for"

    async def test_arguments_and_results_may_be_larger_than_any_message(
        self, harness: Harness
    ) -> None:
        async with harness.app.worker():
            handle = await jobs.weighs.enqueue(jobs.Parcel(Decimal("1.50")), big="x" * BIG)
            assert await handle.result(timeout=60) == f"1.50 {BIG}"
            doubled = await jobs.repeats.enqueue("ä" * BIG)
            assert len(await doubled.result(timeout=60)) == 2 * BIG

    async def test_a_parked_job_runs_once_a_worker_knows_it(self, harness: Harness) -> None:
        handle = await jobs.add.enqueue(1)
        stranger = harness.application(modules=["tests.support.other_jobs"])
        async with stranger.worker(["default"]):
            parked = await harness.reached(handle, JobStatus.SCHEDULED)
        assert parked.blocked_on == "function:add"
        async with harness.app.worker():
            assert await handle.result(timeout=20) == 2
        job = await harness.record(handle)
        assert (job.blocked_on, job.attempt, job.attempts) == (None, 1, ())

    async def test_arguments_that_no_longer_fit_fail_by_name(self, harness: Harness) -> None:
        """As after a deploy that gave the function a new parameter."""
        old = harness.application(modules=["tests.support.deploys.before"])
        new = harness.application(modules=["tests.support.deploys.after"])
        async with old:
            kept = await old.enqueue("gains_default", a=1)
            lost = await old.enqueue("gains_required", a=1)
            gone = await old.enqueue("loses", a=1, b=2)
            other = await old.enqueue("retyped", a="many")
        async with new.worker():
            assert (await harness.ended(kept)).result == 11
            for job_id, problem in (
                (lost, "b: is missing"),
                (gone, "b: is not an argument of this job"),
                (other, "a: Input should be a valid integer"),
            ):
                job = await harness.ended(job_id)
                assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
                assert problem in (job.error or "")
