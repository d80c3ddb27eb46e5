"""Workers killed at random, servers stopped and started: every job ends, once (design §4)."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from framework_m import JobStatus
from framework_m.core.errors import UnavailableError
from tests.support import jobs
from tests.support.harness import Harness
from tests.support.processes import WorkerProcess
from tests.support.servers import (
    NatsServerFactory,
    PostgresServerFactory,
    Server,
)

LEASE = 2


@dataclass(frozen=True)
class Scale:
    """How much of it."""

    jobs: int
    kills: int
    outages: int


SHORT = Scale(jobs=400, kills=3, outages=1)
LONG = Scale(jobs=5_000, kills=12, outages=3)


@dataclass
class Backend:
    """A harness, and the servers below it that may be stopped."""

    harness: Harness
    servers: list[Server]


@pytest.fixture(params=["sqlite", "postgresql", "nats"])
async def backend(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_server_factory: PostgresServerFactory,
    nats_server_factory: NatsServerFactory,
) -> AsyncIterator[Backend]:
    settings: dict[str, Any] = {"lease": LEASE, "sweep_interval": 0.5}
    servers: list[Server] = []
    if request.param == "sqlite":
        settings["database_url"] = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        servers.append(postgres_server_factory())
        settings["database_url"] = servers[0].url
    if request.param == "nats":
        servers.append(nats_server_factory())
        settings["nats_url"] = servers[1].url
    async with Harness.opened(settings, tmp_path) as harness:
        yield Backend(harness, servers)


class Crew:
    """Some workers, of which any may be killed and is replaced."""

    def __init__(self, size: int, start: Callable[[], WorkerProcess], stack: ExitStack) -> None:
        self._start = start
        self._stack = stack
        self._workers = [self._hired() for _ in range(size)]

    def kill_one(self) -> None:
        number = random.randrange(len(self._workers))
        self._workers[number].kill()
        self._workers[number] = self._hired()

    def _hired(self) -> WorkerProcess:
        worker = self._start()
        self._stack.callback(worker.end)
        return worker


@pytest.mark.parametrize(
    "scale", [SHORT, pytest.param(LONG, marks=pytest.mark.chaos)], ids=["short", "long"]
)
async def test_every_job_ends_once_whatever_is_killed(
    backend: Backend, tmp_path: Path, scale: Scale
) -> None:
    harness, log = backend.harness, tmp_path / "log"
    environment = {**harness.environment(), "FRAMEWORK_M_CONCURRENCY": "20"}
    with ExitStack() as stack:
        crew = Crew(2, lambda: WorkerProcess(environment, tmp_path / "output"), stack)
        ids = {await jobs.short_nap.enqueue(log) for _ in range(scale.jobs)}
        async with harness.app.serving():  # as a web process: its relay sweeps too
            for nth in range(scale.kills):
                await _ended(harness, scale.jobs * (nth + 1) // (scale.kills + 2))
                crew.kill_one()
                if nth < scale.outages:
                    await _outages(backend.servers)
            await _ended(harness, scale.jobs)
    await _judge(harness, ids, log, scale)


async def _ended(harness: Harness, count: int) -> None:
    """Until so many jobs have ended, looked at through an outage if need be."""
    async with asyncio.timeout(240):
        while await _count(harness) < count:  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.05)


async def _count(harness: Harness) -> int:
    total = 0
    for status in (JobStatus.SUCCESS, JobStatus.FAILED):
        try:
            total += len(await harness.app.jobs.list(status=status, limit=10_000))
        except UnavailableError:
            return 0
    return total


async def _outages(servers: list[Server]) -> None:
    for server in servers:
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.start)


async def _judge(harness: Harness, ids: set[Any], log: Path, scale: Scale) -> None:
    records = await harness.app.jobs.list(limit=scale.jobs + 1)
    assert {job.job_id for job in records} == ids, "none lost, none invented"
    assert Counter(job.status for job in records) == {JobStatus.SUCCESS: scale.jobs}
    assert {job.attempt for job in records} == {1}, "the crash of a worker spends no attempt"
    runs = Counter(log.read_text().split())
    assert runs.keys() == ids
    again = sum(runs.values()) - scale.jobs
    assert again <= 20 * scale.kills, f"{again} runs more than were in flight at a kill"
