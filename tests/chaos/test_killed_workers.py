"""Workers killed at random, servers stopped and started: every job ends, once (design §4)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.crew import LEASE, Crew, ended, judge
from tests.support import jobs
from tests.support.harness import Harness
from tests.support.servers import (
    NatsServerFactory,
    PostgresServerFactory,
    Server,
)


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
    in_memory: bool

    def crew(self, stack: ExitStack) -> Crew:
        """Where messages are in memory, one worker at a time: the rows outlive it."""
        if self.in_memory:
            return Crew(self.harness, stack, size=1, FRAMEWORK_M_BACKEND="memory")
        return Crew(self.harness, stack)


@pytest.fixture(params=["memory", "sqlite", "postgresql", "nats"])
async def backend(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_server_factory: PostgresServerFactory,
    nats_server_factory: NatsServerFactory,
) -> AsyncIterator[Backend]:
    settings: dict[str, Any] = {"lease": LEASE, "sweep_interval": 0.5}
    servers: list[Server] = []
    if request.param in ("memory", "sqlite"):
        settings["database_url"] = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        servers.append(postgres_server_factory())
        settings["database_url"] = servers[0].url
    if request.param == "nats":
        servers.append(nats_server_factory())
        settings["nats_url"] = servers[1].url
    async with Harness.opened(settings, tmp_path) as harness:
        yield Backend(harness, servers, in_memory=request.param == "memory")


@pytest.mark.parametrize(
    "scale", [SHORT, pytest.param(LONG, marks=pytest.mark.chaos)], ids=["short", "long"]
)
async def test_every_job_ends_once_whatever_is_killed(
    backend: Backend, tmp_path: Path, scale: Scale
) -> None:
    harness, log = backend.harness, tmp_path / "log"
    # Before there is a crew: it would keep up, and nothing would be running at the kills.
    ids: set[str] = {await jobs.traced_nap.enqueue(log) for _ in range(scale.jobs)}
    with ExitStack() as stack:
        crew = backend.crew(stack)
        async with harness.app.serving():  # as a web process: its relay sweeps too
            for nth in range(scale.kills):
                await ended(harness, scale.jobs * (nth + 1) // (scale.kills + 2))
                crew.kill_one()
                if nth < scale.outages:
                    await _outages(backend.servers)
            await ended(harness, scale.jobs)
    await judge(harness, ids, log, kills=crew.kills)


async def _outages(servers: list[Server]) -> None:
    for server in servers:
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.start)
