"""Ctrl-C at a terminal: once asks, twice does not; and nothing is left behind."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from framework_m import JobStatus
from tests.support import jobs
from tests.support.harness import Harness
from tests.support.pids import descendants, gone, is_there
from tests.support.processes import M
from tests.support.terminal import Terminal, terminal

SEVERAL = ("worker", "--processes", "2")
DEV = ("dev", "--port", "0")
APP = ("--app", "tests.support.application:app")


async def at_work(harness: Harness, shell: Terminal) -> tuple[str, Path]:
    """A job that runs there until the gate is made."""
    gate, log = harness.folder / "gate", harness.folder / "log"
    await shell.shows("Framework M ")
    running = await jobs.wait_for.enqueue(gate, log)
    await harness.lines(log, 1)
    return running, gate


@pytest.mark.parametrize("command", [SEVERAL, DEV], ids=" ".join)
async def test_ctrl_c_lets_running_jobs_end(command: tuple[str, ...], sqlite: Harness) -> None:
    with terminal(*M, *command, *APP, environment=sqlite.environment()) as shell:
        running, gate = await at_work(sqlite, shell)
        shell.press_ctrl_c()
        await shell.shows("1 jobs may end within the grace")
        children = descendants(shell.process.pid)
        gate.touch()
        assert await shell.ended() == 0
        await gone(*children)
        assert "Traceback" not in shell.shown
        assert "at once" not in shell.shown.partition("Framework M ")[2].partition("^C")[2]
    assert (await sqlite.record(running)).status is JobStatus.SUCCESS


async def test_ctrl_c_twice_ends_it_at_once(sqlite: Harness) -> None:
    with terminal(*M, *SEVERAL, *APP, environment=sqlite.environment()) as shell:
        running, _ = await at_work(sqlite, shell)
        children = descendants(shell.process.pid)
        shell.press_ctrl_c()
        await shell.shows("1 jobs may end within the grace")
        shell.press_ctrl_c()
        assert await shell.ended() == 1
        assert "stopped at once; what was running will be run again" in shell.shown
        await gone(*children)
    assert (await sqlite.record(running)).status is JobStatus.RUNNING, "its lease lapses"


async def test_ctrl_c_ends_the_web_application(sqlite: Harness) -> None:
    environment = sqlite.environment()
    with terminal(*M, "web", "--port", "0", *APP, environment=environment) as shell:
        await shell.shows("Application startup complete")
        shell.press_ctrl_c()
        assert await shell.ended() == 0
        assert "Traceback" not in shell.shown


async def test_a_supervisor_that_is_killed_takes_its_workers_along(sqlite: Harness) -> None:
    with terminal(*M, *SEVERAL, *APP, environment=sqlite.environment()) as shell:
        await shell.shows("\nworker ", times=2)
        children = descendants(shell.process.pid)
        assert len(children) == 2
        assert all(map(is_there, children))
        shell.process.kill()
        await gone(*children)


async def test_a_services_sigterm_to_all_of_its_processes_is_one_request(sqlite: Harness) -> None:
    with terminal(*M, *SEVERAL, *APP, environment=sqlite.environment()) as shell:
        running, gate = await at_work(sqlite, shell)
        children = descendants(shell.process.pid)
        for pid in (*children, shell.process.pid):
            os.kill(pid, signal.SIGTERM)
        await shell.shows("1 jobs may end within the grace")
        for pid in children:
            with contextlib.suppress(ProcessLookupError):  # the one with nothing to do
                os.kill(pid, signal.SIGTERM)
        gate.touch()
        assert await shell.ended() == 0
        assert "at once" not in shell.shown.partition("Framework M ")[2].partition("worker ")[2]
    assert (await sqlite.record(running)).status is JobStatus.SUCCESS
