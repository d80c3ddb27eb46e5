"""The options of `m worker`."""

import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest

from framework_m import JobStatus
from framework_m.cli import supervisor
from framework_m.cli.children import Child
from framework_m.cli.health import Health
from framework_m.cli.main import main
from framework_m.cli.supervisor import longest_wait
from tests.support import jobs
from tests.support.harness import Harness, until
from tests.support.processes import M, WorkerProcess, worker_process
from tests.support.servers import PostgresServerFactory

ONCE = """
import os, pathlib
from framework_m import FrameworkM
loaded = pathlib.Path("loaded")
if loaded.exists():
    {then}
loaded.touch()
app = FrameworkM(["shop"])
"""


async def said(worker: WorkerProcess, pattern: str) -> str:
    """The part in brackets of what it says, once it does."""

    async def look() -> str | None:
        assert worker.is_alive, worker.output()
        found = re.search(pattern, worker.output())
        return found and found[1]

    return await until(look)


@pytest.mark.parametrize("concurrency", ["0", "-1", "many", "2.5", "", "1000001"])
def test_a_number_of_jobs_that_makes_no_sense_is_refused(
    concurrency: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = ("--app", "tests.support.application:app")
    assert main(["worker", *app, "--concurrency", concurrency]) == 2
    assert "or unlimited" in capsys.readouterr().err


def test_bursts_do_not_reload(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "--burst", "--reload"]) == 2
    assert "--burst ends, and --reload begins anew" in capsys.readouterr().err


async def test_bursts_end_when_nothing_is_left(sqlite: Harness) -> None:
    done = await jobs.add.enqueue(1)
    fails = await jobs.asks_to_be_retried.enqueue(after=3600)
    refused = await jobs.boom.enqueue("no\nluck")
    with worker_process(
        sqlite.environment(), sqlite.folder / "output", "--burst", "--concurrency", "unlimited"
    ) as worker:
        assert await asyncio.to_thread(worker.wait) == 0
    output = worker.output()
    assert "ended after 3 runs" in output
    assert "any number of jobs" in output
    assert "unlimited concurrency: every job that is due begins at once" in output
    assert re.search(rf"add {done}: Success in \d+\.\d\d s\n", output)
    assert re.search(
        rf"{fails}: Retrying in [\d.]+ s, attempt 1/2, again in 3600 s, at [\d:]+: Retry",
        output,
    )
    assert re.search(rf"boom {refused}: Failed in [\d.]+ s: ValueError: no luck\n", output)
    assert await done.status() is JobStatus.SUCCESS


async def test_its_health_follows_the_database_and_its_end(
    tmp_path: Path, postgres_server_factory: PostgresServerFactory
) -> None:
    server = postgres_server_factory()
    async with Harness.opened({"database_url": server.url}, tmp_path) as harness:
        gate, log = tmp_path / "gate", tmp_path / "log"
        options = ("--health-port", "0")
        with worker_process(harness.environment(), tmp_path / "output", *options) as worker:
            url = await said(worker, r"health +(http://127\.0\.0\.1:\d+)/health/ready")
            async with httpx.AsyncClient(base_url=url) as probe:
                ready = await answers(probe, 200)
                assert [check["name"] for check in ready["checks"]] == ["database", "worker"]
                server.stop()
                assert (await answers(probe, 503))["checks"][0]["ok"] is False
                server.start()
                await answers(probe, 200)
                assert (await probe.get("/health/nothing")).status_code == 404
                refused = await probe.post("/health/live")
                assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")

                running = await jobs.wait_for.enqueue(gate, log)
                await harness.lines(log, 1)
                os.kill(worker.pid, signal.SIGTERM)
                stopping = await answers(probe, 503)
                assert stopping["checks"][-1] == {
                    "name": "worker",
                    "ok": False,
                    "detail": "stopping",
                }
                assert (await probe.get("/health/live")).json() == {"status": "live"}
                gate.touch()
                assert await asyncio.to_thread(worker.wait) == 0
        assert await running.status() is JobStatus.SUCCESS


async def answers(probe: httpx.AsyncClient, status: int) -> dict[str, list[dict[str, object]]]:
    """What /health/ready says, once it has that status."""

    async def look() -> dict[str, list[dict[str, object]]] | None:
        answer = await probe.get("/health/ready", timeout=20)
        return answer.json() if answer.status_code == status else None

    return await until(look, deadline=40)


async def test_a_worker_that_drains_is_not_ready(sqlite: Harness) -> None:
    drained = asyncio.Event()
    health = Health(sqlite.app, asyncio.Event(), drained)
    transport = httpx.ASGITransport(health)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as probe:
        await answers(probe, 200)
        drained.set()
        assert (await answers(probe, 503))["checks"][-1]["detail"] == "draining"


async def test_a_job_that_keeps_the_event_loop_does_not_make_it_look_dead(sqlite: Harness) -> None:
    log = sqlite.folder / "log"
    options = ("--health-port", "0")
    with worker_process(sqlite.environment(), sqlite.folder / "output", *options) as worker:
        url = await said(worker, r"health +(http://\S+)/health/ready")
        await jobs.block_for.enqueue(3600, log)
        await sqlite.lines(log, 1)
        async with httpx.AsyncClient(base_url=url) as probe:
            assert (await probe.get("/health/live")).status_code == 200
        worker.kill()


def listener_beside_a_free_port() -> socket.socket:
    """On a port whose lower neighbour is free: below those that systems give out by themselves."""
    for port in random.sample(range(20_001, 32_000), 100):
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port - 1)).close()
            return socket.create_server(("127.0.0.1", port))
    raise AssertionError("no two neighbouring ports are free")


@pytest.mark.parametrize("options", [(), ("--processes", "2")], ids=["one", "two"])
async def test_a_port_that_is_taken_is_said_before_any_job_runs(
    options: tuple[str, ...], sqlite: Harness
) -> None:
    waiting = await jobs.add.enqueue(1)
    with listener_beside_a_free_port() as taken:
        port = taken.getsockname()[1]
        first = port - 1 if options else port
        options = (*options, "--health-port", str(first))
        with worker_process(sqlite.environment(), sqlite.folder / "output", *options) as worker:
            assert await asyncio.to_thread(worker.wait) == 1
    assert f"m: cannot listen on 127.0.0.1:{port}: " in worker.output()
    assert await waiting.status() is JobStatus.QUEUED


@pytest.fixture
def supervised(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """`m worker --burst` in two processes, on an application that loads well once, and `then`."""

    def run(then: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "shop.py").write_text(ONCE.format(then=then))
        environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'test.db'}"}
        command = [*M, "worker", "--app", "shop:app", "--processes", "2", "--burst"]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_what_no_restart_would_mend_ends_all_processes(
    supervised: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    ended = supervised("raise RuntimeError('wrong since')")
    assert ended.returncode == 2
    assert ended.stderr.count("wrong since") == 1
    assert "another starts" not in ended.stderr


def test_what_goes_on_to_crash_starts_later_each_time() -> None:
    waits = [longest_wait(crashes) for crashes in (1, 5, 6, 7, 10, 12, 5000)]
    assert waits == [1, 1, 2, 4, 32, 60, 60]


async def test_what_crashes_is_started_again(
    sqlite: Harness, supervised: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    """The first dies at once, the second is well; and so is the other process."""
    crash = "loaded.exists() and (loaded.write_text('x'), os.kill(os.getpid(), 9))"
    crash = f"if not loaded.read_text():\n        {crash}"
    ended = await asyncio.to_thread(supervised, crash)
    assert ended.returncode == 0
    assert ended.stderr.count("ended with signal SIGKILL; another starts in ") == 1
    assert ended.stdout.count("ended after 0 runs") == 2
    assert ended.stdout.count("Framework M ") == 1, "the banner is the supervisor's"


async def test_a_process_that_cannot_be_started_is_a_crash_and_no_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start, tried = Child.started, []

    async def scarce(arguments: Sequence[str]) -> Child:
        tried.append(arguments)
        if len(tried) < 3:
            raise BlockingIOError("no more processes")
        return await start(arguments)

    monkeypatch.setattr(Child, "started", scarce)
    monkeypatch.setattr(supervisor, "_FIRST_WAIT", 0.01)
    assert await supervisor.Supervisor([["--version"]], asyncio.Event()).run() == 0
    assert capsys.readouterr().err.count("cannot be started (no more processes)") == 2
