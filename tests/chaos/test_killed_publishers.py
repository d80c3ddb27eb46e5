"""Transactions half of which roll back, publishers and workers killed at random: the set of events
received is the set committed, and in an ordered group they come in order per document."""

import asyncio
import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.events import DOCUMENTS, Counter
from tests.support.harness import JOBS, Harness
from tests.support.processes import WorkerProcess
from tests.support.servers import NatsServer, PostgresServer

ROOT = Path(__file__).parents[2]
APP = "tests.support.event_application:app"


@dataclass(frozen=True)
class Scale:
    transactions: int
    kills: int


SHORT = Scale(transactions=1000, kills=4)
LONG = Scale(transactions=10_000, kills=30)


@pytest.fixture(params=["sqlite", "postgresql", "nats"])
async def harness(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_server: PostgresServer,
    postgres_schema: str,
    nats_server: NatsServer,
    nats_prefix: str,
) -> AsyncIterator[Harness]:
    settings: dict[str, Any] = {"lease": 1, "sweep_interval": 0.2}
    settings["database_url"] = f"sqlite:///{tmp_path / 'test.db'}"
    if request.param != "sqlite":
        database = {"database_url": postgres_server.url, "database_schema": postgres_schema}
        settings.update(database)
    if request.param == "nats":
        settings.update(nats_url=nats_server.url, nats_prefix=nats_prefix)
    async with Harness.opened(settings, tmp_path) as it:
        yield it


class Publishers:
    """Two of them; a killed one is followed by another that does the rest of its share."""

    def __init__(self, harness: Harness, log: Path, share: int, stack: ExitStack) -> None:
        self._environment = {**os.environ, **harness.environment()}
        self._log = log
        self._stack = stack
        self._share = share
        self._processes = [self._started() for _ in range(2)]

    def kill_one(self) -> None:
        number = random.randrange(2)
        if self._processes[number].poll() is None:
            self._processes[number].kill()
            self._processes[number].wait()
            self._processes[number] = self._started()

    async def finished(self) -> None:
        for process in self._processes:
            assert await asyncio.to_thread(process.wait, 240) == 0

    def _started(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.support.chaos_publisher"]
        process = subprocess.Popen(
            [*command, str(self._log), str(self._share)], cwd=ROOT, env=self._environment
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process


@pytest.mark.parametrize(
    "scale", [SHORT, pytest.param(LONG, marks=pytest.mark.chaos)], ids=["short", "long"]
)
async def test_what_is_received_is_what_was_committed(
    harness: Harness, tmp_path: Path, scale: Scale
) -> None:
    log = tmp_path / "log"
    app = harness.application(("tests.support.events", *JOBS))
    async with app:
        async with app.ports.database.begin() as connection:
            await connection.run_sync(app.ports.tables.metadata.create_all)
        counters = app.repository(Counter)
        await counters.insert_many([Counter(name=f"d{n}") for n in range(DOCUMENTS)])
        with ExitStack() as stack:
            workers = [_worker(harness, tmp_path, stack)]
            publishers = Publishers(harness, log, scale.transactions // 2, stack)
            for _ in range(scale.kills // 2):
                await asyncio.sleep(random.uniform(0.5, 1.5))  # a kill comes at any moment
                publishers.kill_one()
                await asyncio.sleep(random.uniform(0.5, 1.5))
                workers.pop().kill()
                workers.append(_worker(harness, tmp_path, stack))
            await publishers.finished()
            committed = {c.name: c.total for c in await counters.list()}
            assert sum(committed.values()) > scale.transactions // 4
            await _heard(log, sum(committed.values()))
            await _heard(Path(f"{log}.ordered"), sum(committed.values()))
    _judge(log, committed)
    _judge(Path(f"{log}.ordered"), committed, ordered=True)


def _worker(harness: Harness, folder: Path, stack: ExitStack) -> WorkerProcess:
    worker = WorkerProcess(harness.environment(), folder / "output", app=APP)
    stack.callback(worker.end)
    return worker


async def _heard(log: Path, count: int) -> None:
    async with asyncio.timeout(60):
        while not log.exists() or len(set(log.read_text().split())) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # other processes set no event


def _judge(log: Path, committed: dict[str, int], *, ordered: bool = False) -> None:
    last: dict[str, int] = defaultdict(int)
    seen: dict[str, set[int]] = defaultdict(set)
    for line in log.read_text().split():
        document, number = line.split(":")
        seen[document].add(int(number))
        if ordered:
            assert int(number) <= last[document] + 1, f"{line} came before one that is older"
            last[document] = max(last[document], int(number))
    assert {name: set(range(1, total + 1)) for name, total in committed.items()} == {
        name: seen[name] for name in committed
    }
