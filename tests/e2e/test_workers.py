"""Workers as processes: seen from another one, drained, killed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from framework_m import JobStatus
from framework_m.core.doctypes.worker import WorkerInfo, WorkerStatus
from tests.support import jobs
from tests.support.command import Command, application
from tests.support.harness import Harness, until
from tests.support.processes import M, worker_process

NO_WORKER = """
from framework_m import FrameworkM
from taskiq import TaskiqEvents
app = FrameworkM(["shop"])

@app.broker.on_event(TaskiqEvents.WORKER_STARTUP)
def fails(state):
    raise OSError("no such server")
"""
QUICK = {"FRAMEWORK_M_HEARTBEAT_INTERVAL": "0.2"}


@pytest.fixture
def m(sqlite: Harness, capfd: pytest.CaptureFixture[str]) -> Command:
    return application(capfd, sqlite.environment())


async def workers(harness: Harness, *statuses: WorkerStatus) -> list[WorkerInfo]:
    """Once there are just so many, and they stand like this."""

    found: list[WorkerInfo] = []

    async def stand() -> bool:
        found[:] = await harness.app.workers.list()
        return [it.status for it in found] == list(statuses)

    await until(stand)
    return found


async def test_a_worker_is_drained_from_another_process(
    sqlite: Harness, m: Command, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with worker_process(sqlite.environment(), tmp_path / "out", "--processes", "2") as process:
        found = await workers(sqlite, WorkerStatus.RUNNING, WorkerStatus.RUNNING)
        handle = await jobs.wait_for.enqueue(gate, tmp_path / "log")
        await sqlite.reached(handle, JobStatus.RUNNING)
        listed = json.loads((await m.aside("worker:list", "--json")).stdout)
        assert [it["name"] for it in listed] == [it.name for it in found]
        assert sorted(it["running"] for it in listed) == [0, 1]
        drained = await m.aside("worker:drain", "--all")
        assert drained.returncode == 0, drained.stderr
        assert drained.stdout == "".join(f"{it.name} drains\n" for it in found)
        await workers(sqlite, WorkerStatus.DRAINING)  # the other one had nothing to do
        assert process.is_alive
        gate.touch()
        assert (await sqlite.ended(handle)).claim_no == 1
        await workers(sqlite)
        assert process.wait() == 0, process.output()
        assert "another starts" not in process.output()
    for arguments, status in (
        (("worker:drain",), 2),
        (("worker:drain", "--all", "x"), 2),
        (("worker:drain", "x"), 1),
    ):
        assert (await m.aside(*arguments)).returncode == status


async def test_a_killed_worker_is_lost(sqlite: Harness, tmp_path: Path) -> None:
    environment = {**sqlite.environment(), **QUICK}
    with worker_process(environment, tmp_path / "one") as process:
        [killed] = await workers(sqlite, WorkerStatus.RUNNING)
        assert killed.pid == process.pid
        process.kill()
    [lost] = await workers(sqlite, WorkerStatus.LOST)
    assert lost.name == killed.name
    assert not await sqlite.app.workers.listening_to("default")
    with worker_process(environment, tmp_path / "two") as process:

        async def another() -> bool:
            return len(await sqlite.app.workers.list()) == 2

        await until(another)
        assert await sqlite.app.workers.listening_to("default")
        assert process.stop() == 0
    assert [it.name for it in await workers(sqlite, WorkerStatus.LOST)] == [killed.name]


def test_a_development_server_whose_worker_cannot_start_ends(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(NO_WORKER)
    ended = subprocess.run(
        [*M, "dev", "--app", "shop:app", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'test.db'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.endswith("WORKER_STARTUP failed (OSError: no such server)\n")
