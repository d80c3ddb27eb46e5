"""NATS restarted, emptied, spoken to by others: every due time is fired, once (invariant 6)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.js import JetStreamContext

from framework_m import FrameworkM
from framework_m.core.interfaces.schedule_store import Due
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
    next_run,
    past,
    require_every_second,
    require_one_job_each,
)
from tests.support.servers import NatsServer, NatsServerFactory

FOREIGN = (b"", b"not json", b"[]", b'{"schedule": 7}', b"\xff" * 1000, b"[" * 100_000)
STREAM, PARKED = "framework_schedules", "framework_parked"


@pytest.fixture
def server(nats_server_factory: NatsServerFactory) -> NatsServer:
    return nats_server_factory()


@pytest.fixture
async def harness(server: NatsServer, tmp_path: Path) -> AsyncIterator[Harness]:
    settings = {
        "database_url": f"sqlite:///{tmp_path / 'test.db'}",
        "nats_url": server.url,
        "sweep_interval": 0.2,
    }
    async with Harness.opened(settings, tmp_path) as it:
        yield it


@pytest.fixture
async def jetstream(server: NatsServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1)
    yield client.jetstream()
    await client.close()


async def _armed(jetstream: JetStreamContext, schedules: int) -> None:
    """Until so many messages wait for their time."""

    async def look() -> bool:
        info = await jetstream.stream_info(STREAM, subjects_filter="framework.schedules.at.>")
        return len(info.state.subjects or {}) == schedules

    await until(look)


async def _pause(app: FrameworkM, *names: str) -> None:
    for name in names:
        await app.schedules.pause(name)


async def _each_once(harness: Harness, name: str) -> None:
    firings = await past(harness, name)
    require_every_second(due_times(firings))
    require_one_job_each(firings, await jobs_of(harness, name))


async def test_one_message_waits_for_each_enabled_schedule(
    harness: Harness, jetstream: JetStreamContext
) -> None:
    async with harness.app.worker(), harness.application().worker():
        for name in ("a", "b", "c"):
            await harness.app.schedule(jobs.add, NEVER_SOON, name=name, a=1)
            await harness.app.schedule(jobs.add, "0 0 1 1 *", name=name, a=1)
        await _armed(jetstream, 3)
        await _pause(harness.app, "a")
        await _armed(jetstream, 2)
        await make_due(harness, "b", hasten=harness.app)
        await fired(harness, "b")
        await _armed(jetstream, 2)


async def test_its_message_fires_it_where_nobody_looks_at_the_records(
    harness: Harness, jetstream: JetStreamContext
) -> None:
    """The chain of messages alone: the look at the records leaves them a second."""
    async with harness.application().worker():
        await harness.app.schedule(jobs.add, EVERY_SECOND, name="chain", a=1)
        firings = await fired(harness, "chain", 3)
        info = await jetstream.consumer_info(STREAM, "schedules")
    assert info.delivered is not None
    assert (info.delivered.consumer_seq or 0) >= len(firings)


async def test_a_restart_of_the_server_leaves_out_nothing(
    harness: Harness, server: NatsServer
) -> None:
    async with harness.app.worker(), harness.application().worker():
        await harness.app.schedule(jobs.add, EVERY_SECOND, name="ticks", catch_up="all", a=1)
        await fired(harness, "ticks")
        await asyncio.to_thread(server.kill)
        await fires_again(harness, "ticks", 2)
        await asyncio.to_thread(server.start)
        await fires_again(harness, "ticks", 2)
        await _pause(harness.app, "ticks")
    await _each_once(harness, "ticks")


async def test_an_emptied_stream_and_lost_ones_are_made_good(
    harness: Harness, jetstream: JetStreamContext
) -> None:
    async def fires_by_message() -> None:
        before = await _delivered(jetstream)
        await fires_again(harness, "ticks", 2)
        await until(lambda: _has_delivered(jetstream, before))

    async with harness.app.worker(), harness.application().worker():
        await harness.app.schedule(jobs.add, EVERY_SECOND, name="ticks", catch_up="all", a=1)
        await fired(harness, "ticks")
        await jetstream.purge_stream(STREAM)
        await fires_by_message()
        await jetstream.delete_consumer(STREAM, "schedules")
        await fires_by_message()
        await jetstream.delete_stream(STREAM)
        await fires_by_message()
        await _pause(harness.app, "ticks")
    await _each_once(harness, "ticks")


async def test_a_message_of_another_moment_changes_nothing(
    harness: Harness, jetstream: JetStreamContext
) -> None:
    """Late, for nobody, or not due any more: the records decide."""
    async with harness.app.worker():
        await harness.app.schedule(jobs.add, NEVER_SOON, name="quiet", a=1)
        due_at = await next_run(harness, "quiet")
        await harness.app.ports.scheduler.arm(
            [Due("quiet", in_the_past(seconds=5)), Due("nobody's", in_the_past(seconds=5))]
        )
        await harness.app.schedule(jobs.add, NEVER_SOON, name="control", a=1)
        await make_due(harness, "control", hasten=harness.app)
        await fired(harness, "control")
        await _armed(jetstream, 2)
    assert await past(harness, "quiet") == []
    assert await next_run(harness, "quiet") == due_at


async def test_foreign_messages_are_parked_with_their_bytes_and_the_reason(
    harness: Harness, jetstream: JetStreamContext
) -> None:
    async with harness.app.worker():
        await harness.app.schedule(jobs.add, NEVER_SOON, name="ours", a=1)
        for foreign in FOREIGN:
            await jetstream.publish("framework.schedules.due", foreign)
        await make_due(harness, "ours", hasten=harness.app)
        await fired(harness, "ours")

        async def parked() -> bool:
            return (await jetstream.stream_info(PARKED)).state.messages == len(FOREIGN)

        await until(parked)
        kept = [await jetstream.get_msg(PARKED, seq=1 + n) for n in range(len(FOREIGN))]
    assert {it.subject for it in kept} == {"framework.parked.schedules"}
    assert [it.data or b"" for it in kept] == list(FOREIGN)
    assert all((it.headers or {})["Framework-M-Reason"] for it in kept)


async def _delivered(jetstream: JetStreamContext) -> int:
    try:
        info = await jetstream.consumer_info(STREAM, "schedules")
    except nats.js.errors.NotFoundError:
        return 0
    return (info.delivered and info.delivered.consumer_seq) or 0


async def _has_delivered(jetstream: JetStreamContext, before: int) -> bool:
    now = await _delivered(jetstream)
    return now > before or 0 < now < before
