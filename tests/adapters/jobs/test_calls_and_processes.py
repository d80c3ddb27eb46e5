"""Threads and processes of one worker, called without one."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from framework_m import Cancel, JobStatus
from framework_m.adapters.jobs.calls import JobThreads
from framework_m.adapters.jobs.processes.pool import JobProcesses
from framework_m.core.errors import JobTimeoutError
from framework_m.core.interfaces.job_store import Claim, FinishedRun, LogLine, ProgressReport
from framework_m.core.jobs.cancellation import Cancellation
from framework_m.core.jobs.registry import JobRegistry
from tests.support.pids import gone, is_there


class Record:
    """What jobs said."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def say(self, line: LogLine) -> None:
        self.lines.append(line)

    def report(self, report: ProgressReport) -> None:
        raise AssertionError(report)


@pytest.fixture
def registry() -> JobRegistry:
    found = JobRegistry(default_retries=3, default_timeout=300)
    found.discover(["tests.support.executor_jobs"])
    return found


def claim(name: str, args: str) -> Claim:
    now = datetime.now(UTC)
    return Claim("1", name, "default", args, 1, 4, 1, enqueued_at=now, started_at=now)


class Pool(JobProcesses):
    """One that takes arguments."""

    def __init__(self, registry: JobRegistry, *, limit: int = 1, idle: float = 60) -> None:
        self.known = registry
        self.cancellation = Cancellation()
        super().__init__(registry, Record(), limit=limit, log_lines=10, idle=idle)

    def begun(self, name: str, args: str) -> asyncio.Task[FinishedRun]:
        run = self.run(self.known.get(name), claim(name, args), self.cancellation)
        return asyncio.create_task(run)


@pytest.fixture
async def pool(registry: JobRegistry) -> AsyncIterator[Pool]:
    pool = Pool(registry)
    yield pool
    await pool.close()


async def test_none_is_there_before_it_is_wanted_and_none_that_has_long_rested(
    registry: JobRegistry,
) -> None:
    pool = Pool(registry, idle=0.01)
    assert not pool.pids
    run = pool.begun("squares", '{"n": 3}')
    async with asyncio.timeout(20):
        while not pool.pids:  # noqa: ASYNC110 - it is no promise of the pool to tell
            await asyncio.sleep(0)
    [pid] = pool.pids
    assert (await run).result == "9"
    await gone(pid)
    assert (await pool.begun("squares", '{"n": 4}')).result == "16"
    await pool.close()
    assert not pool.pids


async def test_who_waits_in_line_keeps_all_of_its_time(pool: Pool, tmp_path: Path) -> None:
    """`never_ends` takes half a second each: the third waits for a whole one first."""
    runs = [pool.begun("never_ends", f'{{"pids": "{tmp_path / str(n)}"}}') for n in range(3)]
    for n, outcome in enumerate(await asyncio.gather(*runs)):
        assert (outcome.error or "").startswith("JobTimeoutError")
        assert (tmp_path / str(n)).exists(), "it began"


async def test_being_cancelled_kills_the_process_and_frees_its_place(
    pool: Pool, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    running = pool.begun("stuck_in_c", f'{{"pids": "{pids}"}}')
    waiting = pool.begun("squares", '{"n": 2}')
    async with asyncio.timeout(20):
        while not pids.exists():  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.005)
    pool.cancellation.request("by Ada")
    running.cancel()
    outcome = await running
    assert (outcome.status, outcome.error) == (JobStatus.CANCELLED, "Cancel: by Ada")
    await gone(*map(int, pids.read_text().split()))
    assert (await waiting).result == "4"


async def test_a_signal_to_end_is_the_workers_business(pool: Pool, tmp_path: Path) -> None:
    """A service's SIGTERM goes to all of its processes, and the worker has a grace."""
    log, gate = tmp_path / "log", tmp_path / "gate"
    running = pool.begun("waits_in_process", f'{{"log": "{log}", "gate": "{gate}"}}')
    async with asyncio.timeout(20):
        while not log.exists() or not log.read_text():  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.005)
    [pid] = pool.pids
    os.kill(pid, signal.SIGTERM)
    gate.touch()
    assert (await running).result == str(pid)


async def test_modules_that_cannot_be_imported_are_named(registry: JobRegistry) -> None:
    registry.modules = ("tests.support.executor_jobs", "no_such_module")
    pool = Pool(registry)
    outcome = await pool.begun("squares", '{"n": 3}')
    await pool.close()
    assert outcome.status is JobStatus.RETRYING, "a deploy may mend it"
    assert outcome.error == (
        "JobProcessDiedError: the process of job 'squares' could not start: "
        "ConfigurationError: the module 'no_such_module' does not exist"
    )


async def test_arguments_that_no_longer_fit_fail_at_once(pool: Pool) -> None:
    outcome = await pool.begun("squares", '{"n": "many"}')
    assert outcome.status is JobStatus.FAILED
    assert (outcome.error or "").startswith("ArgumentError")


class Threads:
    """A thread job on its way, and who may be asked of it."""

    def __init__(
        self,
        registry: JobRegistry,
        name: str,
        values: dict[str, object],
        cancellation: Cancellation | None = None,
    ) -> None:
        self.cancellation = cancellation or Cancellation()
        self.is_unwanted = False
        self.slot_is_free = asyncio.Event()
        self.threads = JobThreads(ThreadPoolExecutor(1), 1, self.slot_is_free.set)
        call = self.threads.call(
            registry.get(name), claim(name, ""), self.cancellation, lambda: self.is_unwanted
        )
        self.run = asyncio.ensure_future(call(**values))


async def test_a_thread_that_was_asked_to_stop_is_waited_for(registry: JobRegistry) -> None:
    cancellation = Cancellation()
    it = Threads(registry, "waits_to_be_asked", {"ask": cancellation.check}, cancellation)
    await asyncio.sleep(0)
    cancellation.request("by Ada")
    it.run.cancel()
    it.run.cancel()
    with pytest.raises(Cancel, match="by Ada"):
        await it.run
    assert not it.threads.left
    assert not it.run.cancelled()


async def test_a_thread_that_is_deaf_to_a_request_is_cancelled_when_its_time_is_over(
    registry: JobRegistry, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    it = Threads(registry, "deaf_thread", {"gate": gate})
    await asyncio.sleep(0)
    it.cancellation.request("by Ada")
    it.run.cancel()
    with pytest.raises(Cancel, match="by Ada"):
        await it.run
    assert len(it.threads.left) == 1
    gate.touch()
    await it.slot_is_free.wait()
    assert not it.threads.left


async def test_a_thread_that_its_worker_is_rid_of_is_left_at_once_and_counted(
    registry: JobRegistry, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    it = Threads(registry, "deaf_thread", {"gate": gate})
    await asyncio.sleep(0)
    it.cancellation.request("its worker stops")
    it.is_unwanted = True
    it.run.cancel()
    await asyncio.gather(it.run, return_exceptions=True)
    assert (it.run.cancelled(), len(it.threads.left)) == (True, 1)
    gate.touch()
    await it.slot_is_free.wait()


async def test_out_of_time_is_said_to_the_thread(registry: JobRegistry, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    it = Threads(registry, "deaf_thread", {"gate": gate})
    with pytest.raises(JobTimeoutError) as raised:
        await it.run
    assert raised.value.thread_goes_on
    with pytest.raises(Cancel, match="longer than its timeout"):
        it.cancellation.check()
    gate.touch()
    await it.slot_is_free.wait()


@pytest.mark.parametrize("by_the_kernel", [True, False])
async def test_a_group_ends_when_its_lifeline_does(by_the_kernel: bool) -> None:
    """Where the kernel does not do it (it is Linux that can), a thread does."""
    program = (
        "import subprocess, sys, time; from framework_m.adapters.jobs.processes import lifeline\n"
        f"lifeline._BY_THE_KERNEL = {by_the_kernel}\n"
        "lifeline.die_with_worker(int(sys.argv[1]))\n"
        "print(subprocess.Popen(['sleep', '99']).pid, flush=True); time.sleep(99)"
    )
    held, ours = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(held)),
        stdout=asyncio.subprocess.PIPE,
        pass_fds=[held],
        start_new_session=True,
    )
    os.close(held)
    assert process.stdout is not None
    grandchild = int(await process.stdout.readline())
    assert is_there(grandchild)
    os.close(ours)
    assert await process.wait() == -signal.SIGKILL
    await gone(grandchild)
