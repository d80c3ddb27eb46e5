"""What every backend promises about jobs, from enqueue to outcome."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from framework_m import JobStatus
from framework_m.core.errors import ArgumentError, JobFailedError, UnknownJobError
from framework_m.core.ids import is_uuid
from tests.support import jobs
from tests.support.harness import Harness


class Boom(Exception):
    """Raised to leave a transaction."""


class JobQueueContract:
    """Subclass it with a `harness` fixture."""

    async def test_a_job_runs_and_its_result_is_kept(self, harness: Harness) -> None:
        async with harness.app.worker():
            handle = await jobs.add.enqueue(2, b=3)
            assert await handle.result(timeout=20) == 5
        job = await harness.record(handle)
        assert (job.status, job.result, job.args) == (JobStatus.SUCCESS, 5, {"a": 2, "b": 3})
        assert job.duration_seconds is not None
        assert job.enqueued_at <= (job.started_at or job.enqueued_at)

    async def test_the_port_takes_a_name_and_returns_an_id(self, harness: Harness) -> None:
        job_id = await harness.app.enqueue("add", a=1)
        assert is_uuid(job_id)
        job = await harness.record(job_id)
        assert (job.job_id, job.job_name, job.status) == (job_id, "add", JobStatus.QUEUED)

    async def test_a_job_waits_until_a_worker_comes(self, harness: Harness) -> None:
        handle = await jobs.add.enqueue(1)
        assert await handle.status() is JobStatus.QUEUED
        async with harness.app.worker():
            assert await handle.result(timeout=20) == 2

    async def test_a_committed_transaction_runs_its_job(self, harness: Harness) -> None:
        async with harness.app.worker():
            async with harness.app.transaction():
                handle = await jobs.add.enqueue(1)
            assert await handle.result(timeout=20) == 2

    async def test_a_rollback_leaves_no_job(self, harness: Harness) -> None:
        with pytest.raises(Boom):
            async with harness.app.transaction():
                await jobs.add.enqueue(1)
                await harness.app.enqueue("add", a=2)
                raise Boom
        assert await harness.app.jobs.list() == []

    async def test_concurrent_enqueues_in_a_transaction_share_its_fate(
        self, harness: Harness
    ) -> None:
        with pytest.raises(Boom):
            async with harness.app.transaction():
                await asyncio.gather(*(jobs.add.enqueue(n) for n in range(10)))
                raise Boom
        assert await harness.app.jobs.list() == []

    async def test_a_job_does_not_start_before_its_transaction_commits(
        self, harness: Harness
    ) -> None:
        log = harness.folder / "log"
        async with harness.app.worker():
            async with harness.app.transaction():
                handle = await jobs.note.enqueue(log, "ran")
                # Give a worker that does not wait for the commit its chance to show itself.
                await asyncio.sleep(0.05)
                assert not log.exists()
            await handle.result(timeout=20)
        assert log.read_text() == "ran\n"

    async def test_what_outlives_a_transaction_enqueues_on_its_own(self, harness: Harness) -> None:
        released = asyncio.Event()

        async def later() -> str:
            await released.wait()
            return await jobs.add.enqueue(1)

        async with harness.app.transaction():
            outliving = asyncio.create_task(later())
            await asyncio.sleep(0)
        released.set()
        assert (await harness.record(await outliving)).status is JobStatus.QUEUED

    async def test_arguments_arrive_as_the_types_they_were(self, harness: Harness) -> None:
        moment = datetime(2026, 11, 24, 9, 30, 15, 123456, tzinfo=UTC)
        values = {
            "amount": Decimal("10.10"),
            "moment": moment,
            "key": UUID(int=7),
            "colour": jobs.Colour.RED,
            "point": jobs.Point(1, 2),
            "address": jobs.Address(street="Rue \x00 \U0001f600", since=moment),
            "raw": b"\x00\xff",
            "ratio": float("inf"),
        }
        async with harness.app.worker():
            handle = await harness.app.enqueue("describe_types", **values)
            described = await handle.result(timeout=20)
        # A time zone's repr differs, its meaning does not.
        expected = [f"{type(value).__name__}={value!r}" for value in values.values()]
        plain = [text.replace("TzInfo(0)", "datetime.timezone.utc") for text in described]
        assert [text.replace("TzInfo(UTC)", "datetime.timezone.utc") for text in plain] == expected

    async def test_wrong_arguments_are_refused_by_name(self, harness: Harness) -> None:
        with pytest.raises(ArgumentError) as refused:
            await harness.app.enqueue("add", a="x", c=1)
        assert {error.field for error in refused.value.errors} == {"a", "c"}
        with pytest.raises(ArgumentError, match="a: is missing"):
            await harness.app.enqueue("add")
        with pytest.raises(ArgumentError, match="text: cannot be written as JSON"):
            await jobs.plain.enqueue("\udcff")
        with pytest.raises(UnknownJobError, match="did you mean 'add'"):
            await harness.app.enqueue("adds")
        assert await harness.app.jobs.list() == []

    async def test_a_failing_job_keeps_its_error(self, harness: Harness) -> None:
        async with harness.app.worker():
            handle = await jobs.unprintable.enqueue()
            with pytest.raises(JobFailedError, match="ValueError: bad"):
                await handle.result(timeout=20)
        job = await harness.record(handle)
        assert job.status is JobStatus.FAILED
        assert job.error == "ValueError: bad \\x00 \\udcff"
        assert job.traceback is not None
        assert job.traceback.count("File ") == 1, "only the job's own frames"

    async def test_a_failing_job_is_retried(self, harness: Harness) -> None:
        async with harness.app.worker():
            handle = await jobs.fails_at_first.enqueue(1)
            assert await handle.result(timeout=20) == 2
        job = await harness.record(handle)
        assert (job.attempt, job.max_attempts) == (2, 4)

    async def test_a_job_over_its_timeout_fails(self, harness: Harness) -> None:
        async with harness.app.worker():
            slow = await harness.ended(await jobs.too_slow.enqueue())
            own = await harness.ended(await jobs.own_timeout.enqueue())
        assert slow.error == (
            "JobTimeoutError: job 'too_slow' ran longer than its timeout of 0.05 s"
        )
        assert own.error == "TimeoutError: of a server"

    async def test_a_result_that_json_cannot_hold_fails_the_job(self, harness: Harness) -> None:
        async with harness.app.worker():
            job = await harness.ended(await jobs.unstorable.enqueue())
        assert job.status is JobStatus.FAILED
        assert (job.error or "").startswith("ResultError: job 'unstorable' returned")

    async def test_a_plain_function_runs_in_a_thread(self, harness: Harness) -> None:
        async with harness.app.worker():
            assert await (await jobs.plain.enqueue("abc")).result(timeout=20) == "ABC"

    async def test_progress_is_kept(self, harness: Harness) -> None:
        async with harness.app.worker():
            job = await harness.ended(await jobs.count_to.enqueue(1000))
        assert (job.progress, job.progress_message) == (100.0, "1000 of 1000")

    async def test_progress_may_say_anything(self, harness: Harness) -> None:
        async with harness.app.worker():
            job = await harness.ended(await jobs.says.enqueue(7, "a\x00b"))
        assert (job.status, job.progress, job.progress_message) == (
            JobStatus.SUCCESS,
            7.0,
            "a\\x00b",
        )

    async def test_a_full_queue_does_not_starve_another(self, harness: Harness) -> None:
        log = harness.folder / "log"
        for n in range(20):
            await jobs.note.enqueue(log, str(n))
        other = await jobs.on_another_queue.enqueue()
        gate = harness.folder / "gate"
        last = await jobs.wait_for.enqueue(gate, log)
        async with harness.application(concurrency=1).worker():
            await harness.ended(other)
            assert not (await harness.record(last)).status.is_terminal
            gate.touch()

    async def test_a_worker_serves_only_its_queues(self, harness: Harness) -> None:
        async with harness.app.worker(queues=["default"]):
            elsewhere = await jobs.on_another_queue.enqueue()
            here = await jobs.add.enqueue(1)
            await here.result(timeout=20)
            assert await elsewhere.status() is JobStatus.QUEUED
        async with harness.app.worker(queues=["other"]):
            assert await elsewhere.result(timeout=20) == "done"

    async def test_two_workers_share_the_jobs_and_run_each_once(self, harness: Harness) -> None:
        log = harness.folder / "log"
        async with harness.app.worker(), harness.app.worker():
            handles = [await jobs.note.enqueue(log, str(n)) for n in range(100)]
            for handle in handles:
                await handle.result(timeout=20)
        assert sorted(map(int, log.read_text().split())) == list(range(100))

    async def test_jobs_start_in_the_order_of_their_enqueueing(self, harness: Harness) -> None:
        app = harness.application(concurrency=1)
        log = harness.folder / "log"
        handles = [await jobs.note.enqueue(log, str(n)) for n in range(20)]
        async with app.worker():
            await harness.ended(handles[-1])
        assert log.read_text().split() == [str(n) for n in range(20)]

    async def test_a_stopping_worker_lets_running_jobs_end(self, harness: Harness) -> None:
        gate, log = harness.folder / "gate", harness.folder / "log"
        async with harness.app.worker():
            running = await jobs.wait_for.enqueue(gate, log)
            await harness.lines(log, 1)
            asyncio.get_running_loop().call_later(0.05, gate.touch)
        assert await running.status() is JobStatus.SUCCESS

    async def test_a_stopping_worker_gives_back_what_outlasts_the_grace(
        self, harness: Harness
    ) -> None:
        gate, log = harness.folder / "gate", harness.folder / "log"
        running = await jobs.wait_for.enqueue(gate, log)
        async with harness.application(stop_grace=0).worker():
            await harness.lines(log, 1)
        job = await harness.record(running)
        assert (job.status, job.attempt) == (JobStatus.QUEUED, 0)
        gate.touch()
        async with harness.app.worker():
            assert await running.result(timeout=20) == 1, "giving back spends no attempt"

    async def test_a_job_that_blocks_the_event_loop_keeps_its_lease(self, harness: Harness) -> None:
        log = harness.folder / "log"
        app = harness.application(lease=1, sweep_interval=0.1)
        blocking = await jobs.block_for.enqueue(2.5, log)
        async with harness.application(lease=1, sweep_interval=0.1), app.worker():
            assert (await harness.ended(blocking)).status is JobStatus.SUCCESS
        assert log.read_text().split() == [blocking]

    async def test_a_job_nobody_knows_waits_visibly(self, harness: Harness) -> None:
        handle = await jobs.add.enqueue(1)

        async with harness.application(modules=["tests.support.other_jobs"]).worker(["default"]):
            job = await harness.reached(handle, JobStatus.SCHEDULED)
        assert job.error == "UnknownJobError: no job function is named 'add'"
        assert job.attempt == 0
