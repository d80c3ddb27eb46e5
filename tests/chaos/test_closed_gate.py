"""A hundred thousand jobs behind a closed gate do not keep another queue from its work."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from framework_m import FrameworkM, JobStatus
from framework_m.adapters.db.schema import job_log
from tests.support import limited_jobs as jobs
from tests.support.harness import Harness
from tests.support.servers import NatsServerFactory, PostgresServerFactory

MODULES = ("tests.support.limited_jobs",)
WAITING = 100_000
OTHERS = 3_000
QUEUES = ["default", "other"]


@pytest.fixture(params=["sqlite", "postgresql", "nats"])
async def harness(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_server_factory: PostgresServerFactory,
    nats_server_factory: NatsServerFactory,
) -> AsyncIterator[Harness]:
    settings: dict[str, Any] = {"database_url": f"sqlite:///{tmp_path / 'test.db'}"}
    if request.param != "sqlite":
        settings["database_url"] = postgres_server_factory().url
    if request.param == "nats":
        settings["nats_url"] = nats_server_factory().url
    async with Harness.opened(settings, tmp_path) as it:
        yield it


@pytest.mark.chaos
async def test_many_at_a_closed_gate_slow_no_other_queue(
    harness: Harness, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    seconds: dict[str, list[float]] = {"alone": [], "beside": [], "blocked": []}
    async with harness.application(MODULES, concurrency=50) as app:
        async with app.worker(QUEUES):
            seconds["alone"] = [await others(app) for _ in range(3)]
            await jobs.one_at_once.enqueue(gate, log)
            await harness.lines(log, 1)
            # By twos: more at once would wait at the gate from the start.
            pairs = range(WAITING // 2)
            calls = [jobs.one_at_once.call(gate, log) for _ in range(2)]
            for chunk in range(0, len(pairs), 100):
                async with app.transaction():
                    for _ in pairs[chunk : chunk + 100]:
                        await app.enqueue_many(calls)
                if chunk % 10_000 == 0:  # while they come to the gate
                    seconds["beside"].append(await others(app))
            seconds["blocked"] = [await others(app) for _ in range(3)]
            assert await count(app, JobStatus.RUNNING) == 1
            assert await count(app, JobStatus.SUCCESS) == OTHERS * sum(map(len, seconds.values()))
        assert log.read_text().count("\n") == 1, "nobody else has passed"
    alone = min(seconds["alone"])
    told = {name: f"{alone / min(some):.2f}" for name, some in seconds.items()}
    print(request.node.name, "throughput beside that of the queue alone:", told)  # noqa: T201


async def others(app: FrameworkM) -> float:
    """Run jobs of another queue; how long that took."""
    began = time.perf_counter()
    request = jobs.free.options(queue="other")
    before = await count(app, JobStatus.SUCCESS)
    await app.enqueue_many([request.call(number) for number in range(OTHERS)])
    async with asyncio.timeout(120):
        while await count(app, JobStatus.SUCCESS) < before + OTHERS:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return time.perf_counter() - began


async def count(app: FrameworkM, status: JobStatus) -> int:
    found = select(func.count()).where(job_log.c.status == status.value)
    async with app.ports.database.read() as connection:
        return (await connection.execute(found)).scalar_one()
