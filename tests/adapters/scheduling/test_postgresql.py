"""Schedules whose rows are locked, and a database that goes away and comes back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from framework_m.adapters.db.schedule_schema import scheduled_job
from framework_m.core.doctypes.scheduled_job import ScheduleStatus
from framework_m.core.errors import UnavailableError
from tests.support import jobs
from tests.support.harness import Harness, until
from tests.support.schedules import (
    EVERY_SECOND,
    NEVER_SOON,
    due_times,
    fired,
    fires_again,
    in_the_past,
    jobs_of,
    make_due,
    past,
    require_every_second,
    require_one_job_each,
)
from tests.support.servers import (
    NatsServer,
    NatsServerFactory,
    PostgresServer,
    PostgresServerFactory,
)

MORE_THAN_ONE_LOOK = 120


@pytest.fixture(params=["postgresql", "nats_postgresql"])
def locking(request: pytest.FixtureRequest) -> Harness:
    """Where rows are locked one by one."""
    found: Harness = request.getfixturevalue(request.param)
    return found


async def test_one_that_somebody_holds_locked_delays_no_other(locking: Harness) -> None:
    for name in ("held", "free"):
        await locking.app.schedule(jobs.add, NEVER_SOON, name=name, a=1)
        await make_due(locking, name)
    async with locking.app.transaction() as unit:
        held = select(scheduled_job.c.name).where(scheduled_job.c.name == "held")
        await unit.execute(held.with_for_update())
        async with locking.application().worker():
            await fired(locking, "free")
    assert await past(locking, "held") == []
    async with locking.app.worker():
        assert len(await fired(locking, "held")) == 1


async def test_many_that_somebody_holds_locked_delay_no_other(postgresql: Harness) -> None:
    locking, at = postgresql, in_the_past(hours=1)
    async with locking.app.transaction():
        for n in range(MORE_THAN_ONE_LOOK):
            await locking.app.schedule(jobs.add, NEVER_SOON, name=f"held {n}", a=1)
            await make_due(locking, f"held {n}", at)
    await locking.app.schedule(jobs.add, NEVER_SOON, name="free", a=1)
    await make_due(locking, "free")
    async with locking.app.transaction() as unit:
        held = select(scheduled_job.c.name).where(scheduled_job.c.name != "free")
        await unit.execute(held.with_for_update())
        async with locking.application().worker():
            await fired(locking, "free")
    async with locking.app.worker():
        for n in range(MORE_THAN_ONE_LOOK):
            await fired(locking, f"held {n}")


async def test_one_whose_unique_job_somebody_has_not_committed_delays_no_other(
    locking: Harness,
) -> None:
    """The insertion would wait for that transaction to end, and all that fire with it, too."""
    for name in ("kept out", "free"):
        function = jobs.once_at_a_time if name == "kept out" else jobs.add
        arguments = {} if name == "kept out" else {"a": 1}
        await locking.app.schedule(function, NEVER_SOON, name=name, **arguments)
        await make_due(locking, name)
    async with locking.app.transaction():
        await jobs.once_at_a_time.enqueue()
        async with locking.application().worker():
            await fired(locking, "free")
        assert await past(locking, "kept out") == []
    async with locking.application().worker():
        await fired(locking, "kept out")  # skipped, or after the other has ended


async def test_an_edit_that_takes_long_counts_when_it_commits(locking: Harness) -> None:
    for name in ("edited", "control"):
        await locking.app.schedule(jobs.plain, NEVER_SOON, name=name, text="before")
        await make_due(locking, name)
    async with locking.app.transaction():
        await locking.app.schedule(jobs.plain, NEVER_SOON, name="edited", text="after")
        async with locking.application().worker():
            await fired(locking, "control")
        assert await past(locking, "edited") == []
    async with locking.app.worker():
        await fired(locking, "edited")
    [job] = await jobs_of(locking, "edited")
    assert job.args == {"text": "after"}


@pytest.fixture
def postgres(postgres_server_factory: PostgresServerFactory) -> PostgresServer:
    return postgres_server_factory()


@pytest.fixture(params=["rows", "nats"])
async def outage(
    request: pytest.FixtureRequest,
    postgres: PostgresServer,
    nats_server_factory: NatsServerFactory,
    tmp_path: Path,
) -> AsyncIterator[Harness]:
    settings: dict[str, Any] = {"database_url": postgres.url, "sweep_interval": 0.2}
    if request.param == "nats":
        server: NatsServer = nats_server_factory()
        settings["nats_url"] = server.url
    async with Harness.opened(settings, tmp_path) as it:
        yield it


async def test_a_database_that_was_away_leaves_out_nothing(
    outage: Harness, postgres: PostgresServer
) -> None:
    async with outage.application().worker(), outage.application().worker():
        await outage.app.schedule(jobs.add, EVERY_SECOND, name="ticks", catch_up="all", a=1)
        await fired(outage, "ticks")
        await asyncio.to_thread(postgres.stop)
        await asyncio.to_thread(postgres.start)
        await until(lambda: _answers(outage))
        await fires_again(outage, "ticks", 2)
        await outage.app.schedules.pause("ticks")
        firings = await past(outage, "ticks")
    require_every_second(due_times(firings))
    assert ScheduleStatus.MISSED not in [firing.status for firing in firings]
    require_one_job_each(firings, await jobs_of(outage, "ticks"))


async def _answers(harness: Harness) -> bool:
    try:
        await harness.app.ports.database.ping()
    except UnavailableError:
        return False
    return True
