"""A schedule of one second, workers and servers killed: each due time is one job (invariant 9)."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from framework_m import JobStatus
from tests.chaos.crew import Crew
from tests.support import jobs
from tests.support.harness import Harness, until
from tests.support.schedules import (
    EVERY_SECOND,
    due_times,
    fired,
    jobs_of,
    past,
    require_one_job_each,
    words,
)
from tests.support.servers import NatsServer, NatsServerFactory, PostgresServerFactory

logger = logging.getLogger(__name__)

NAME = "ticks"


@dataclass(frozen=True)
class Scale:
    """How much of it."""

    fires: int
    workers: int
    kills_after: tuple[int, ...]
    outages_after: tuple[int, ...]


SHORT = Scale(fires=10, workers=2, kills_after=(4,), outages_after=(7,))
LONG = Scale(
    fires=60, workers=4, kills_after=(10, 20, 30, 40, 50), outages_after=(15, 25, 35, 45, 55)
)


@dataclass
class Backend:
    harness: Harness
    nats: NatsServer | None


@pytest.fixture
async def backend(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_server_factory: PostgresServerFactory,
    nats_server_factory: NatsServerFactory,
) -> AsyncIterator[Backend]:
    transport, _, database = request.param.rpartition("_")
    settings: dict[str, Any] = {"lease": 2, "sweep_interval": 0.5}
    if database == "sqlite":
        settings["database_url"] = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        settings["database_url"] = postgres_server_factory().url
    nats = nats_server_factory() if transport else None
    if nats is not None:
        settings["nats_url"] = nats.url
    async with Harness.opened(settings, tmp_path) as harness:
        yield Backend(harness, nats)


_LONG = [
    pytest.param(name, LONG, marks=pytest.mark.chaos, id=f"{name}-long")
    for name in ("sqlite", "postgresql", "nats_sqlite", "nats_postgresql")
]
_SHORT = [pytest.param(name, SHORT, id=name) for name in ("sqlite", "nats_postgresql")]


@pytest.mark.parametrize(("backend", "scale"), [*_SHORT, *_LONG], indirect=["backend"])
async def test_each_due_time_is_one_job_whatever_is_killed(
    backend: Backend, scale: Scale, tmp_path: Path
) -> None:
    harness, log = backend.harness, tmp_path / "log"
    with ExitStack() as stack:
        crew = Crew(harness, stack, size=scale.workers)
        await until(lambda: _are_at_work(harness, scale.workers))
        first = await _begun(harness, log, scale.fires)
        for count in sorted((*scale.kills_after, *scale.outages_after)):
            await fired(harness, NAME, count)
            if count in scale.kills_after:
                crew.kill_one()
            elif backend.nats is not None:
                await asyncio.to_thread(backend.nats.kill)
                await asyncio.to_thread(backend.nats.start)
        firings = await fired(harness, NAME, scale.fires)
        assert due_times(firings) == [first + timedelta(seconds=n) for n in range(scale.fires)]
        for firing in firings:
            await harness.ended(firing.job_id or "")
    await _judge(harness, log)


async def _begun(harness: Harness, log: Path, fires: int) -> datetime:
    """Let it be due every second, so often; the first time."""
    first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    last = first + timedelta(seconds=fires - 1)
    await harness.app.schedule(
        jobs.tells_its_schedule, EVERY_SECOND, name=NAME, start_date=first, end_date=last, log=log
    )
    return first


async def _are_at_work(harness: Harness, count: int) -> bool:
    return len(await harness.app.workers.list()) == count


async def _judge(harness: Harness, log: Path) -> None:
    """As many jobs as due times, each done; run twice only where its worker died of it."""
    firings, done = await past(harness, NAME), await jobs_of(harness, NAME)
    require_one_job_each(firings, done)
    assert Counter(job.status for job in done) == {JobStatus.SUCCESS: len(firings)}
    runs = Counter(await words(log))
    assert runs.keys() == {job.job_id for job in done}
    for job in done:
        assert 1 <= runs[job.job_id] <= job.claim_no, "one run for each claim at most"
    late = max(firing.fired_at - firing.due_at for firing in firings)
    again = sum(runs.values()) - len(done)
    told = len(done), again, late.total_seconds()
    logger.info("%d due times, %d runs again, at most %.2f s late", *told)
