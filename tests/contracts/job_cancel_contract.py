"""What every backend promises about jobs that are cancelled, run again or deleted."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from framework_m import JobStatus
from framework_m.core.errors import JobEndedError, JobNotEndedError, JobNotFoundError
from framework_m.core.ids import uuid7
from framework_m.core.interfaces.event_bus import ReceivedEvent
from framework_m.core.interfaces.job_store import ClaimTerms, FinishedRun
from tests.support import jobs
from tests.support.harness import Harness, until

LEASE = timedelta(seconds=10)


class JobCancelContract:
    """Subclass it with a `harness` fixture."""

    async def test_a_job_that_waits_is_cancelled_at_once(self, harness: Harness) -> None:
        queued = await jobs.add.enqueue(1)
        scheduled = await jobs.add.options(delay=3600).enqueue(2)
        retrying = await jobs.asks_to_be_retried.enqueue(None)
        async with harness.application() as elsewhere:
            await elsewhere.jobs.cancel(queued)
            async with harness.app.worker():
                await harness.reached(retrying, JobStatus.RETRYING)
                for job_id in (scheduled, retrying):
                    assert await elsewhere.jobs.cancel(job_id) is JobStatus.CANCELLED
                # What comes after them runs, and they do not.
                assert await (await harness.app.enqueue("add", a=3)).result(timeout=20) == 4
        for job_id in (queued, scheduled, retrying):
            job = await harness.record(job_id)
            assert (job.status, job.error) == (
                JobStatus.CANCELLED,
                "Cancel: cancelled on request",
            )
            assert job.completed_at is not None
            with pytest.raises(JobEndedError, match="has already ended: Cancelled"):
                await harness.app.jobs.handle(job_id).cancel()
        with pytest.raises(JobNotFoundError):
            await harness.app.jobs.cancel(uuid7())

    async def test_a_running_job_is_cancelled_from_another_process(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        async with harness.app.worker(), harness.application() as elsewhere:
            handle = await harness.app.enqueue("wait_for", gate=tmp_path / "never", log=log)
            await harness.lines(log, 1)
            assert await elsewhere.jobs.cancel(handle) is JobStatus.RUNNING
            assert await elsewhere.jobs.cancel(handle) is JobStatus.RUNNING, "twice is harmless"
            job = await harness.ended(handle)
            assert (job.status, job.error) == (
                JobStatus.CANCELLED,
                "Cancel: cancelled on request",
            )
            assert job.cancel_requested_at is not None

    async def test_a_thread_is_asked_to_stop(self, harness: Harness, tmp_path: Path) -> None:
        log = tmp_path / "log"
        async with harness.app.worker():
            handle = await jobs.until_cancelled.enqueue(log)
            await harness.lines(log, 1)
            await handle.cancel()
            assert (await harness.ended(handle)).status is JobStatus.CANCELLED
            assert log.read_text().split() == ["started", "noticed"]

    async def test_whatever_becomes_of_the_run_the_job_does_not_run_again(
        self, harness: Harness
    ) -> None:
        store = harness.app.ports.job_store
        terms = ClaimTerms("w", ("default",), LEASE)
        ids = [str(await jobs.add.enqueue(n)) for n in range(5)]
        claims = {claim.job_id: claim for claim in await store.claim(terms, ids)}
        for job_id in ids:
            await harness.app.jobs.cancel(job_id)

        def run(job_id: str, status: JobStatus, **more: Any) -> FinishedRun:
            return FinishedRun(job_id, claims[job_id].claim_no, status, **more)

        retried, snoozed, succeeded, released, died = ids
        outcomes = [
            run(retried, JobStatus.RETRYING, error="E", retry_after=timedelta()),
            run(snoozed, JobStatus.SCHEDULED, retry_after=timedelta(), spends_attempt=False),
            run(succeeded, JobStatus.SUCCESS, result="1"),
        ]
        assert await store.finish(outcomes) == {retried, snoozed, succeeded}
        await store.release([claims[released]])
        await harness.change(died, lease_until=datetime.now(UTC) - LEASE)
        found = await store.rescue(50, patience=timedelta(hours=1), max_rescues=3)
        assert (list(found.ready), list(found.cancelled)) == ([], [died])
        statuses = {job_id: (await harness.record(job_id)).status for job_id in ids}
        assert statuses.pop(succeeded) is JobStatus.SUCCESS, "it had succeeded all the same"
        assert set(statuses.values()) == {JobStatus.CANCELLED}

    async def test_some_of_many_are_cancelled_while_a_worker_runs_them(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        handles = await harness.app.enqueue_many([jobs.traced_nap.call(log) for _ in range(200)])
        async with harness.app.worker():
            await harness.lines(log, 1)
            for handle in handles[::2]:
                try:
                    await handle.cancel()
                except JobEndedError:
                    continue
            ended = Counter([(await harness.ended(handle)).status for handle in handles])
        assert set(ended) <= {JobStatus.SUCCESS, JobStatus.CANCELLED}
        assert ended.total() == 200
        assert ended[JobStatus.SUCCESS] >= 100

    async def test_a_finished_job_is_run_again_as_another(self, harness: Harness) -> None:
        request = jobs.boom.options(queue="other", tags=["a"], correlation_id="order 7")
        first = await request.enqueue("bad luck")
        with pytest.raises(JobNotEndedError, match="has not ended yet, it is Queued"):
            await first.retry()
        async with harness.app.worker(["default", "other"]):
            await harness.ended(first)
            again = await first.retry()
            assert again != first
            job = await harness.ended(again)
        before = await harness.record(first)
        assert (job.retry_of, job.args, job.status) == (first, before.args, JobStatus.FAILED)
        for field in ("queue", "tags", "correlation_id", "max_attempts", "priority"):
            assert getattr(job, field) == getattr(before, field), field

    async def test_a_deleted_job_is_gone_and_stops(self, harness: Harness, tmp_path: Path) -> None:
        log = tmp_path / "log"
        waiting = await jobs.add.options(delay=0.2).enqueue(1)
        async with harness.app.worker(), harness.application() as elsewhere:
            failed = await harness.app.enqueue("boom", message="bad luck")
            assert len((await harness.ended(failed)).attempts) == 1
            await elsewhere.jobs.delete(failed)
            assert await harness.attempts(failed) == 0, "its attempts are gone with it"
            running = await harness.app.enqueue("says_when_it_is_cancelled", log=log)
            await harness.lines(log, 1)
            for job_id in (waiting, running):
                await elsewhere.jobs.delete(job_id)
                assert await elsewhere.jobs.get(job_id) is None
                with pytest.raises(JobNotFoundError):
                    await elsewhere.jobs.delete(job_id)
            assert (await harness.lines(log, 2))[1] == "cancelled"
            assert await (await harness.app.enqueue("add", a=3)).result(timeout=20) == 4
        assert await harness.app.jobs.get(running) is None

    async def test_cancelling_is_part_of_the_transaction_and_is_told(
        self, harness: Harness
    ) -> None:
        handle = await jobs.add.options(delay=3600).enqueue(1)
        told: list[str] = []

        async def hear(event: ReceivedEvent) -> None:
            told.append(json.loads(event.message.data)["job_id"])

        subscription = await harness.app.events.subscribe("job.cancelled", hear)
        with pytest.raises(RuntimeError):
            async with harness.app.transaction():
                await handle.cancel()
                raise RuntimeError
        assert await handle.status() is JobStatus.SCHEDULED
        async with harness.app.serving():
            async with harness.app.transaction():
                await handle.cancel()

            async def look() -> bool:
                return told == [handle]

            await until(look)
        await harness.app.events.unsubscribe(subscription)
