"""What is promised of jobs in threads and in processes."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from framework_m import FrameworkM, JobStatus, acting_as
from tests.support import executor_jobs as jobs
from tests.support.harness import Harness, until
from tests.support.pids import gone, is_there
from tests.support.processes import worker_process

MODULES = ("tests.support.executor_jobs",)


class JobExecutorContract:
    """Subclass it with a `harness` fixture."""

    @pytest.fixture
    async def app(self, harness: Harness) -> AsyncIterator[FrameworkM]:
        async with harness.application(MODULES, job_processes=2, concurrency=30) as app:
            yield app

    async def test_a_job_in_a_process_is_a_job_as_any(
        self, harness: Harness, app: FrameworkM
    ) -> None:
        async with app.worker():
            with acting_as("ada"):
                handle = await jobs.tells_where.options(correlation_id="c").enqueue("1.10")  # type: ignore[arg-type]
            told = await handle.result(timeout=20)
            again = await (await jobs.tells_where.enqueue("2")).result(timeout=20)  # type: ignore[arg-type]
        assert told["pid"] not in (os.getpid(), None)
        assert again["pid"] == told["pid"], "kept warm"
        assert again["user"] is None, "and nothing is left of the job before"
        assert (str(told["price"]), told["attempt"]) == ("2.20", 1)
        assert (told["job"], told["user"], told["acting"]) == (handle, "ada", "ada")
        assert told["correlation"] == "c"
        job = await harness.record(handle)
        assert (job.progress, job.progress_message) == (50, "half")
        lines = await app.jobs.lines(handle)
        assert [(line.level, line.message, line.logger) for line in lines] == [
            ("INFO", "from the context", None),
            ("WARNING", "from logging", "shop.stock"),
        ]
        await gone(int(str(told["pid"])))

    async def test_what_it_asks_for_is_heard(
        self, harness: Harness, app: FrameworkM, tmp_path: Path
    ) -> None:
        expected = {
            "retry": (JobStatus.SUCCESS, 2, None),
            "snooze": (JobStatus.SUCCESS, 1, None),
            "error": (JobStatus.SUCCESS, 3, None),
            "exit": (JobStatus.FAILED, 1, "SystemExit: enough"),
            "unstorable": (JobStatus.FAILED, 1, "ResultError: job 'asks' returned a value"),
        }
        async with app.worker():
            handles = {what: await jobs.asks.enqueue(tmp_path / what, what) for what in expected}
            ended = {what: await harness.ended(handle) for what, handle in handles.items()}
        assert {w: (job.status, job.attempt) for w, job in ended.items()} == {
            what: (status, attempt) for what, (status, attempt, _) in expected.items()
        }
        assert all((ended[w].error or "").startswith(e or "") for w, (_, _, e) in expected.items())
        first, second = ended["error"].attempts
        assert (first.error, second.error) == ("LookupError: attempt 1", "LookupError: attempt 2")
        assert "raise LookupError" in (first.traceback or "")
        assert "framework_m" not in (first.traceback or ""), "from the job function on"

    async def test_services_are_refused_with_a_reason(
        self, harness: Harness, app: FrameworkM
    ) -> None:
        async with app.worker():
            job = await harness.ended(await jobs.wants_services.enqueue())
        assert job.status is JobStatus.FAILED
        assert "runs in a process, where ctx.transaction is not to be had" in (job.error or "")

    async def test_megabytes_go_there_and_back(self, app: FrameworkM) -> None:
        text = "abc€" * 800_000
        async with app.worker():
            handle = await jobs.echoes.enqueue(text)
            assert await handle.result(timeout=30) == text[::-1]

    async def test_a_crash_fails_its_own_job_only(self, harness: Harness, app: FrameworkM) -> None:
        ends = {
            "exit": "ended with status 3",
            "kill": "ended with signal 9 (SIGKILL: out of memory, perhaps)",
            "segfault": "ended with signal 11 (SIGSEGV)",
        }
        async with app.worker():
            calls = [await jobs.squares.enqueue(n) for n in range(10)]
            crashes = {how: await jobs.crashes.enqueue(how) for how in ends}
            calls += [await jobs.squares.enqueue(n) for n in range(10, 20)]
            assert [await c.result(timeout=30) for c in calls] == [n * n for n in range(20)]
            errors = {how: (await harness.ended(handle)).error for how, handle in crashes.items()}
        assert errors == {
            how: f"JobProcessDiedError: the process of job 'crashes' {told}"
            for how, told in ends.items()
        }

    async def test_time_is_a_hard_limit_in_a_process(
        self, harness: Harness, app: FrameworkM, tmp_path: Path
    ) -> None:
        pids = tmp_path / "pids"
        async with app.worker():
            job = await harness.ended(await jobs.never_ends.enqueue(pids))
            process, grandchild = map(int, pids.read_text().split())
            await gone(process, grandchild)
            assert await (await jobs.squares.enqueue(3)).result(timeout=20) == 9
        assert job.status is JobStatus.FAILED
        assert job.error == (
            "JobTimeoutError: job 'never_ends' ran longer than its timeout of 0.5 s"
        )

    async def test_a_thread_that_is_out_of_time_holds_its_slot_until_it_ends(
        self, harness: Harness, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        gate, log = tmp_path / "gate", tmp_path / "log"
        async with harness.application(MODULES, concurrency=1) as app, app.worker():
            job = await harness.ended(await jobs.deaf_thread.enqueue(gate))
            assert "its thread goes on until it notices" in (job.error or "")
            assert job.status is JobStatus.FAILED
            later = await jobs.thread_note.enqueue(log, "later")
            told = "all 1 slots are held by threads of jobs that were given up"
            assert told in caplog.text
            await asyncio.sleep(0.1)  # a slot more than there is would be taken by now
            assert (await harness.record(later)).status is JobStatus.QUEUED
            gate.touch()
            assert (await harness.ended(later)).status is JobStatus.SUCCESS

    async def test_a_thread_may_notice_that_it_is_out_of_time(
        self, harness: Harness, app: FrameworkM, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        async with app.worker():
            job = await harness.ended(await jobs.polite_thread.enqueue(log))
            await harness.lines(log, 1)
        assert (job.status, log.read_text()) == (JobStatus.FAILED, "noticed\n")

    async def test_a_worker_that_stops_kills_processes_and_gives_their_jobs_back(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        log, gate = tmp_path / "log", tmp_path / "gate"
        async with harness.application(MODULES, stop_grace=0) as app:
            async with app.worker():
                handle = await jobs.waits_in_process.enqueue(log, gate)
                [pid] = await harness.lines(log, 1)
            await gone(int(pid))
            assert (await harness.record(handle)).status is JobStatus.QUEUED
            gate.touch()
            async with app.worker():
                assert await handle.result(timeout=20) != int(pid)

    async def test_a_killed_worker_leaves_no_process_behind(
        self, harness: Harness, app: FrameworkM, tmp_path: Path
    ) -> None:
        pids, output = tmp_path / "pids", tmp_path / "output"
        environment = {
            **harness.environment(),
            "FRAMEWORK_M_LEASE": "1",
            "FRAMEWORK_M_SWEEP_INTERVAL": "0.2",
        }
        handle = await jobs.stuck_in_c.enqueue(pids)
        application = "tests.support.executor_application:app"
        with worker_process(environment, output, app=application) as first:
            started = await _there(pids)
            assert all(map(is_there, started))
            first.kill()
        await gone(*started)
        with worker_process(environment, output, app=application):
            job = await harness.ended(handle)
        assert (job.status, job.attempt) == (JobStatus.SUCCESS, 1)


async def _there(pids: Path) -> list[int]:
    async def look() -> list[int]:
        return [int(line) for line in pids.read_text().split()] if pids.exists() else []

    return await until(look)
