"""Fifty cancelled and fifty out of time, of process jobs and of commands: nothing is left."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from commands.jobs import run_command

from framework_m import JobHandle, JobStatus
from tests.support import executor_jobs as jobs
from tests.support.command_jobs import short_command
from tests.support.harness import Harness, until
from tests.support.pids import descendants, gone, memory, open_pipes

ROUNDS = 6
"""The first warms up."""
PER_ROUND = 10
GROWTH = 6 * 1024 * 1024

Enqueue = Callable[[Path], Awaitable[JobHandle[Any]]]


def command(pids: Path) -> list[str]:
    """Deaf, with a child that has one of its own, and it says a lot."""
    said = f"echo $$ $! > {pids}.draft; mv {pids}.draft {pids}"
    script = f"trap '' TERM; sh -c 'sleep 99 & sleep 99' & {said}; yes | head -n 500; wait"
    return ["sh", "-c", script]


async def process(pids: Path) -> JobHandle[Any]:
    return await jobs.stuck_in_c.enqueue(pids)


async def short_process(pids: Path) -> JobHandle[Any]:
    return await jobs.never_ends.enqueue(pids)


async def program(pids: Path) -> JobHandle[Any]:
    return await run_command.enqueue(command(pids))


async def short_program(pids: Path) -> JobHandle[Any]:
    return await short_command.enqueue(command(pids))


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("kind", "are_cancelled"),
    [(process, True), (short_process, False), (program, True), (short_program, False)],
    ids=["process-cancelled", "process-timeout", "command-cancelled", "command-timeout"],
)
async def test_nothing_is_left_behind(
    sqlite: Harness, monkeypatch: pytest.MonkeyPatch, kind: Enqueue, are_cancelled: bool
) -> None:
    monkeypatch.setenv("COMMANDS_ALLOWED", "sh")
    monkeypatch.setattr("commands.running.GRACE", 0.1)
    # As in `m worker`; here pytest would also keep each traceback, and memory is measured.
    monkeypatch.setattr(logging.getLogger("taskiq.receiver"), "level", logging.CRITICAL)
    modules = ("tests.support.executor_jobs", "tests.support.command_jobs", "commands.jobs")
    before = set(descendants(os.getpid()))
    sizes = []
    app = sqlite.application(modules, lease=1, job_processes=PER_ROUND, concurrency=50)
    async with app, app.worker():
        # With all that a worker opens at its first job.
        await sqlite.ended(await jobs.thread_note.enqueue(sqlite.folder / "log", "first"))
        pipes = open_pipes()
        for number in range(ROUNDS):
            notes = [sqlite.folder / f"{number}-{n}" for n in range(PER_ROUND)]
            started = await asyncio.gather(*(_started(sqlite, kind, note) for note in notes))
            handles = [handle for handle, _ in started]
            pids = [pid for _, noted in started for pid in noted]
            await _end(sqlite, handles, are_cancelled=are_cancelled)
            assert len(pids) == 2 * PER_ROUND
            await gone(*pids)
            await _nothing_below(before)
            sizes.append(memory())
            await _closed(pipes)
    assert sizes[-1] - sizes[1] < GROWTH, sizes


async def _started(
    harness: Harness, kind: Enqueue, note: Path
) -> tuple[JobHandle[Any], Sequence[int]]:
    """A job that has noted its processes. One whose time was over before it could comes again."""
    while True:
        handle = await kind(note)

        async def look(job_id: str = handle) -> bool:
            return note.exists() or (await harness.record(job_id)).status.is_terminal

        await until(look, deadline=60)
        if note.exists():
            return handle, [int(pid) for pid in note.read_text().split()]
        assert ((await harness.record(handle)).error or "").startswith("JobTimeoutError")


async def _end(harness: Harness, handles: Sequence[JobHandle[Any]], *, are_cancelled: bool) -> None:
    if are_cancelled:
        for handle in handles:
            await harness.reached(handle, JobStatus.RUNNING)
            await handle.cancel()
    ended = [await harness.ended(handle) for handle in handles]
    if are_cancelled:
        assert {job.status for job in ended} == {JobStatus.CANCELLED}
    else:
        assert all((job.error or "").startswith("JobTimeoutError") for job in ended)


async def _nothing_below(before: set[int]) -> None:
    async with asyncio.timeout(20):
        while set(descendants(os.getpid())) - before:  # noqa: ASYNC110 - see `gone`
            await asyncio.sleep(0.01)


async def _closed(pipes: int) -> None:
    """Until no more are open than there were."""
    async with asyncio.timeout(20):
        while open_pipes() > pipes:  # noqa: ASYNC110 - the loop closes them by and by
            await asyncio.sleep(0.01)
