"""Whole processes: served, worked, stopped, and left without their database."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from framework_m import JobStatus
from framework_m.adapters.access.jwt_tokens import Expected, JwtTokens, SharedKeys
from framework_m.core.errors import UnavailableError
from tests.support import jobs
from tests.support.callers import ADMIN
from tests.support.harness import Harness, until
from tests.support.processes import M, worker_process
from tests.support.servers import PostgresServerFactory

ROOT = Path(__file__).parents[2]


SECRET_KEY = "only for tests, but long"


class Served:
    """`m web` or `m dev`, and a client for it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, output: Path) -> None:
        self.process = process
        self.client = httpx.AsyncClient(base_url=url, headers=_bearer())
        self._output = output

    async def answers(self, path: str, status: int) -> httpx.Response:
        """The answer, once it has that status."""

        async def look() -> httpx.Response | None:
            assert self.process.poll() is None, self.output()
            try:
                answer = await self.client.get(path)
            except httpx.TransportError:
                return None
            return answer if answer.status_code == status else None

        return await until(look)

    def output(self) -> str:
        return self._output.read_text()

    def token(self) -> str:
        """What `m dev` prints for whoever started it."""
        return self.output().partition("  token      ")[2].partition(" ")[0]


@contextmanager
def served(
    command: str, environment: Mapping[str, str], folder: Path, *options: str
) -> Iterator[Served]:
    output = folder / f"{command}.log"
    port = _free_port()
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*M, command, "--app", "tests.support.application:app", "--port", str(port), *options],
            cwd=ROOT,
            env={**os.environ, "SECRET_KEY": SECRET_KEY, **environment},
            stdout=log,
            stderr=log,
        )
    try:
        yield Served(process, f"http://127.0.0.1:{port}", output)
    finally:
        process.kill()
        process.wait()


def _bearer() -> dict[str, str]:
    """A signed token, which needs no database to be made or read."""
    tokens = JwtTokens(SharedKeys([SECRET_KEY]), SharedKeys.algorithms, Expected())
    now = datetime.now(UTC)
    return {"Authorization": f"Bearer {tokens.issue(ADMIN, now, now + timedelta(hours=1))}"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_dev_migrates_serves_works_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path / 'dev.db'}"}
    with served("dev", environment, tmp_path) as dev:
        await dev.answers("/health/ready", 200)
        asked = await dev.client.post("/api/v1/jobs", json={"job_name": "add", "args": {"a": 1}})
        job_id = asked.json()["job_id"]

        async def ended() -> bool:
            job = (await dev.client.get(f"/api/v1/jobs/{job_id}")).json()
            return bool(job["status"] == JobStatus.SUCCESS)

        await until(ended)
        headers = {"Authorization": f"Bearer {dev.token()}"}
        assert (await dev.client.get("/api/v1/jobs", headers=headers)).status_code == 200
        await dev.client.aclose()
        dev.process.send_signal(number)
        assert await asyncio.to_thread(dev.process.wait, 20) == 0, dev.output()
    assert "Traceback" not in dev.output()
    assert f"add {job_id}: Success" in dev.output()


async def test_dev_brings_a_nats_server_and_takes_it_along(tmp_path: Path) -> None:
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path / 'dev.db'}"}
    with served("dev", environment, tmp_path, "--nats") as dev:
        ready = await dev.answers("/health/ready", 200)
        assert [check["name"] for check in ready.json()["checks"]] == ["database", "nats"]
        asked = await dev.client.post("/api/v1/jobs", json={"job_name": "add", "args": {"a": 1}})
        await _succeeded(dev, asked.json()["job_id"])
        await dev.client.aclose()
        dev.process.terminate()
        assert await asyncio.to_thread(dev.process.wait, 20) == 0, dev.output()
    store = tmp_path / "dev.db.nats"
    assert "Initiating Shutdown" in (store / "nats-server.log").read_text()
    assert (store / "jetstream").is_dir()


async def test_web_and_worker_wait_for_a_database_that_comes_later(
    tmp_path: Path, postgres_server_factory: PostgresServerFactory
) -> None:
    server = postgres_server_factory()
    server.stop()
    environment = {"DATABASE_URL": server.url}
    worker_output = tmp_path / "worker.log"
    with (
        served("web", environment, tmp_path) as web,
        worker_process(environment, worker_output) as worker,
    ):
        away = await web.answers("/health/ready", 503)
        assert away.json()["checks"][0]["ok"] is False
        await web.answers("/health/live", 200)
        refused = await web.client.post("/api/v1/jobs", json={"job_name": "add", "args": {"a": 1}})
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"

        server.start()
        migrated = await asyncio.create_subprocess_exec(
            *M,
            "migrate",
            "--app",
            "tests.support.application:app",
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
        )
        assert await migrated.wait() == 0
        await web.answers("/health/ready", 200)
        accepted = await web.client.post("/api/v1/jobs", json={"job_name": "add", "args": {"a": 1}})
        assert accepted.status_code == 202
        await _succeeded(web, accepted.json()["job_id"])
        await web.client.aclose()
        assert worker.is_alive
    for output in (web.output(), worker_output.read_text()):
        assert output.count("the database is not available") == 1, "said once, not at every try"


async def _succeeded(web: Served, job_id: str) -> None:
    async def look() -> bool:
        job = (await web.client.get(f"/api/v1/jobs/{job_id}")).json()
        return bool(job["status"] == "Success")

    await until(look)


async def test_a_worker_that_waits_for_its_database_can_be_stopped(tmp_path: Path) -> None:
    environment = {"DATABASE_URL": "postgresql://user@127.0.0.1:1/db"}
    output = tmp_path / "output"
    with worker_process(environment, output) as worker:
        await _said(output, "the database is not available")
        assert await asyncio.to_thread(worker.stop) == 0


async def test_a_worker_lives_through_a_restart_of_its_database(
    tmp_path: Path, postgres_server_factory: PostgresServerFactory
) -> None:
    server = postgres_server_factory()
    log = tmp_path / "log"
    async with Harness.opened({"database_url": server.url}, tmp_path) as harness:
        environment = {**harness.environment(), "FRAMEWORK_M_LEASE": "2"}
        with worker_process(environment, tmp_path / "output") as worker:
            first = await jobs.note.enqueue(log, "before")
            await harness.ended(first)
            gate = tmp_path / "gate"
            running = await jobs.wait_for.enqueue(gate, log)
            await harness.lines(log, 2)
            server.kill()
            gate.touch()  # it ends while the database is away
            await _said(tmp_path / "output", "not available")
            server.start()
            job = await _ended_again(harness, running)
            assert job == JobStatus.SUCCESS
            assert log.read_text().split() == ["before", str(running)], "it ran once"
            assert worker.is_alive


async def _ended_again(harness: Harness, job_id: str) -> JobStatus:
    """The end of a job, asked for through connections that may have died."""

    async def look() -> JobStatus | None:
        try:
            status = (await harness.record(job_id)).status
        except UnavailableError:
            return None
        return status if status.is_terminal else None

    return await until(look)


async def _said(output: Path, words: str) -> None:
    async def look() -> bool:
        return output.exists() and words in output.read_text()

    await until(look)


@pytest.fixture
def harness(sqlite: Harness) -> Harness:
    return sqlite


async def test_several_worker_processes_are_kept_alive_and_stopped(
    harness: Harness, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    environment = {**harness.environment(), "FRAMEWORK_M_CONCURRENCY": "1"}
    environment |= {"FRAMEWORK_M_LEASE": "1", "FRAMEWORK_M_SWEEP_INTERVAL": "0.2"}
    with worker_process(environment, tmp_path / "output", "--processes", "2") as parent:
        both = [await jobs.wait_for.enqueue(gate, log) for _ in range(2)]
        await harness.lines(log, 2)
        workers = {(await harness.record(job_id)).worker or "" for job_id in both}
        assert len(workers) == 2
        os.kill(int(workers.pop().split(":")[1]), signal.SIGKILL)
        gate.touch()
        assert {(await harness.ended(job_id)).status for job_id in both} == {JobStatus.SUCCESS}
        assert await asyncio.to_thread(parent.stop) == 0
        assert "another starts" in parent.output()


async def test_a_worker_leaves_behind_a_thread_that_does_not_end(
    harness: Harness, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    environment = {**harness.environment(), "FRAMEWORK_M_STOP_GRACE": "0"}
    handle = await jobs.sleep_in_thread.enqueue(3600, log)
    with worker_process(environment, tmp_path / "output") as worker:
        await harness.lines(log, 1)
        assert await asyncio.to_thread(worker.stop) == 0
    assert await handle.status() is JobStatus.QUEUED


async def test_a_second_signal_stops_at_once(harness: Harness, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await jobs.wait_for.enqueue(gate, log)
    with worker_process(harness.environment(), tmp_path / "output") as worker:
        await harness.lines(log, 1)
        os.kill(worker.pid, signal.SIGTERM)
        await _said(tmp_path / "output", "stopping")
        assert await asyncio.to_thread(worker.stop) == 1
