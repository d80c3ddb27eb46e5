"""What every backend promises about what a job may ask for."""

import pytest

from framework_m import JobStatus
from tests.support import jobs
from tests.support.harness import Harness


class JobOutcomeContract:
    """Subclass it with a `harness` fixture."""

    async def test_a_job_may_ask_for_another_attempt(self, harness: Harness) -> None:
        async with harness.app.worker():
            handle = await jobs.asks_to_be_retried.enqueue(0.01)
            assert await handle.result(timeout=20) == 2

    async def test_without_a_time_the_backoff_decides(self, harness: Harness) -> None:
        async with harness.app.worker():
            handle = await jobs.asks_to_be_retried.enqueue(None)
            job = await harness.reached(handle, JobStatus.RETRYING)
        assert job.error == "Retry: asked to be tried again"
        assert job.traceback is None, "a request is no error"
        assert job.scheduled_at > job.enqueued_at

    async def test_a_request_without_an_attempt_left_fails(self, harness: Harness) -> None:
        async with harness.app.worker():
            handle = await jobs.asks_to_be_retried.enqueue(None)
            await harness.reached(handle, JobStatus.RETRYING)
            await harness.make_due(handle)
            job = await harness.ended(handle)
        assert (job.status, job.attempt) == (JobStatus.FAILED, 2)

    async def test_a_snoozing_job_spends_no_attempt(self, harness: Harness) -> None:
        log = harness.folder / "log"
        async with harness.app.worker():
            handle = await jobs.snoozes.enqueue(log, 3)
            assert await handle.result(timeout=20) == "done"
        job = await harness.record(handle)
        assert (job.attempt, job.max_attempts) == (1, 1)
        assert log.read_text().split() == ["run"] * 4

    async def test_a_job_may_cancel_itself(self, harness: Harness) -> None:
        async with harness.app.worker():
            job = await harness.ended(await jobs.cancels_itself.enqueue())
        assert (job.status, job.error) == (JobStatus.CANCELLED, "Cancel: not needed any more")

    async def test_a_job_may_give_up_at_once(self, harness: Harness) -> None:
        async with harness.app.worker():
            job = await harness.ended(await jobs.discards_itself.enqueue())
        assert (job.status, job.error) == (JobStatus.FAILED, "Discard: no such customer")
        assert job.attempt == 1

    async def test_a_suspect_runs_with_no_other_in_its_process(self, harness: Harness) -> None:
        first, second, log = (harness.folder / name for name in ("first", "second", "log"))
        company = await jobs.wait_for.enqueue(first, log)
        suspect = await jobs.wait_for.enqueue(second, log)
        await harness.change(suspect, rescues=2)
        async with harness.app.worker():
            await harness.reached(suspect, JobStatus.RUNNING)  # claimed, and waiting to be alone
            first.touch()
            await harness.lines(log, 2)
            later = await jobs.short_nap.enqueue(log)
            second.touch()
            alone, after = [await harness.ended(job) for job in (suspect, later)]
        assert alone.status is JobStatus.SUCCESS
        assert alone.completed_at
        assert after.started_at
        assert after.started_at >= alone.completed_at
        assert log.read_text().split() == [company, suspect, later]

    async def test_a_worker_that_stops_gives_suspects_back(self, harness: Harness) -> None:
        gate, log = harness.folder / "gate", harness.folder / "log"
        company = await jobs.wait_for.enqueue(gate, log)
        suspect = await jobs.short_nap.enqueue(log)
        await harness.change(suspect, rescues=2)
        async with harness.application(stop_grace=0).worker():
            await harness.lines(log, 1)
            await harness.reached(suspect, JobStatus.RUNNING)  # claimed, and waiting to be alone
        assert (await harness.record(suspect)).status is JobStatus.QUEUED
        assert log.read_text().split() == [company]
        gate.touch()
        async with harness.app.worker():
            assert (await harness.ended(suspect)).status is JobStatus.SUCCESS

    @pytest.mark.parametrize(("kind", "attempts"), [("passing", 4), ("lasting", 1), ("other", 1)])
    async def test_errors_are_retried_by_kind(
        self, harness: Harness, kind: str, attempts: int
    ) -> None:
        async with harness.app.worker():
            job = await harness.ended(await jobs.fails_by_kind.enqueue(kind))
        assert (job.status, job.attempt) == (JobStatus.FAILED, attempts)
