"""What every backend promises about limits: how many at once, how often, and who waits where."""

import itertools
from datetime import timedelta
from pathlib import Path

from framework_m import FrameworkM, JobLog, JobStatus, Queue
from tests.support import limited_jobs as jobs
from tests.support.harness import Harness, until

MODULES = ("tests.support.limited_jobs",)


class JobLimitsContract:
    """Subclass it with a `harness` fixture."""

    async def test_no_more_run_at_once_than_the_limit_says(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        gate, log = tmp_path / "gate", tmp_path / "log"
        async with harness.application(MODULES) as app, app.worker():
            handles = [await jobs.two_at_once.enqueue(gate, log) for _ in range(6)]
            await harness.lines(log, 2)
            blocked = await waiting_at_a_gate(app, 4)
            assert {job.status for job in blocked} == {JobStatus.QUEUED}
            assert {(job.attempt, job.worker) for job in blocked} == {(0, None)}
            gate.touch()
            for handle in handles:
                await handle.result(timeout=20)
        assert jobs.most_at_once[f"two {log}"] == 2

    async def test_who_waits_at_a_gate_is_let_in_in_order(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        gate, log = tmp_path / "gate", tmp_path / "log"
        async with harness.application(MODULES) as app, app.worker():
            handles = [await jobs.one_at_once.enqueue(gate, log)]
            await harness.lines(log, 1)
            handles += [await jobs.one_at_once.enqueue(gate, log) for _ in range(8)]
            await waiting_at_a_gate(app, 8)
            gate.touch()
            for handle in handles:
                await handle.result(timeout=20)
        assert log.read_text().split() == handles
        assert jobs.most_at_once[f"one {log}"] == 1

    async def test_who_waits_holds_no_slot(self, harness: Harness, tmp_path: Path) -> None:
        gate, log = tmp_path / "gate", tmp_path / "log"
        async with harness.application(MODULES, concurrency=2) as app, app.worker():
            held = [await jobs.one_at_once.enqueue(gate, log) for _ in range(30)]
            assert await (await jobs.free.enqueue(7)).result(timeout=20) == 7
            assert len(log.read_text().split()) <= 1
            gate.touch()
            for handle in held:
                await handle.result(timeout=20)

    async def test_a_key_has_a_limit_of_its_own(self, harness: Harness, tmp_path: Path) -> None:
        gate, log = tmp_path / "gate", tmp_path / "log"
        async with harness.application(MODULES) as app, app.worker():
            # Those of Ada that wait for Ada take no place of the function's two.
            names = ("Ada", "Ada", "Ada", "Bob", "Bob", "Cyd")
            calls = [jobs.one_per_customer.call(name, gate, log) for name in names]
            handles = await app.enqueue_many(calls)
            assert sorted(await harness.lines(log, 2)) in (["Ada", "Bob"], ["Ada", "Cyd"])
            blocked = await waiting_at_a_gate(app, 4)
            assert any("Ada" in str(job.blocked_on) for job in blocked)
            gate.touch()
            for handle in handles:
                await handle.result(timeout=20)
        assert {jobs.most_at_once[f"{name} {log}"] for name in names} == {1}

    async def test_what_fails_leaves_its_place(self, harness: Harness) -> None:
        async with harness.application(MODULES) as app, app.worker():
            handles = await app.enqueue_many([jobs.fails_alone.call() for _ in range(5)])
            for handle in handles:
                assert (await harness.ended(handle)).status is JobStatus.FAILED

    async def test_starts_keep_the_distance_that_a_rate_says(self, harness: Harness) -> None:
        async with harness.application(MODULES) as app, app.worker():
            handles = [await jobs.spaced.enqueue(number) for number in range(10)]
            assert [await handle.result(timeout=20) for handle in handles] == list(range(10))
            records = [await handle.record() for handle in handles]
        started = sorted(job.started_at for job in records if job.started_at is not None)
        gaps = [later - earlier for earlier, later in itertools.pairwise(started)]
        # SQLite's clock tells milliseconds.
        assert min(gaps) >= timedelta(milliseconds=49), gaps

    async def test_a_rate_is_kept_by_key_and_over_workers(self, harness: Harness) -> None:
        async with (
            harness.application(MODULES) as app,
            app.worker(),
            harness.application(MODULES).worker(),
        ):
            again = [await app.enqueue("once_an_hour", host="a") for _ in range(3)]
            other = await app.enqueue("once_an_hour", host="b")
            assert await other.result(timeout=20) == "b"
            assert len(await waiting_at_a_gate(app, 2)) == 2
            ended = [job for job in again if await job.status() is JobStatus.SUCCESS]
            assert len(ended) == 1

    async def test_many_at_once_wait_at_the_gate_from_the_start(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        gate, log = tmp_path / "gate", tmp_path / "log"
        async with harness.application(MODULES) as app:
            calls = [jobs.two_at_once.call(gate, log) for _ in range(100)]
            handles = await app.enqueue_many(calls)
            assert len(await waiting_at_a_gate(app, 98)) == 98
            gate.touch()
            async with app.worker():
                for handle in handles:
                    await handle.result(timeout=20)
        assert jobs.most_at_once[f"two {log}"] <= 2

    async def test_a_queue_may_have_a_limit_that_changes(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        gate, log = tmp_path / "gate", tmp_path / "log"
        narrow = Queue(name="default", concurrency=1)
        async with harness.application(MODULES) as app:
            narrow = await app.repository(Queue).save(narrow)
            async with app.worker(), harness.application(MODULES) as elsewhere:
                # Each function has room for two; the queue has not.
                first = [await app.enqueue("two_at_once", gate=gate, log=log) for _ in range(2)]
                await harness.lines(log, 1)
                await waiting_at_a_gate(app, 1)
                narrow.concurrency = 2
                await elsewhere.repository(Queue).save(narrow)
                await harness.lines(log, 2)
                gate.touch()
                for handle in first:
                    await handle.result(timeout=20)


async def waiting_at_a_gate(app: FrameworkM, count: int) -> list[JobLog]:
    """The jobs that wait at any gate, once there are so many."""

    async def look() -> list[JobLog] | None:
        found = [job for job in await app.jobs.list(limit=500) if job.blocked_on]
        return found if len(found) == count else None

    return await until(look)
