"""NATS restarted, emptied and absent: events arrive, nobody is restarted (invariant 6)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.js import JetStreamContext

from framework_m import BaseEvent
from framework_m.core.events.envelope import read
from tests.support.events import Heard
from tests.support.harness import Harness, until
from tests.support.servers import NatsServer, NatsServerFactory

STREAM = "framework_events"


@pytest.fixture
def server(nats_server_factory: NatsServerFactory) -> NatsServer:
    return nats_server_factory()


@pytest.fixture
async def harness(server: NatsServer, tmp_path: Path) -> AsyncIterator[Harness]:
    settings = {
        "database_url": f"sqlite:///{tmp_path / 'test.db'}",
        "nats_url": server.url,
        "sweep_interval": 0.2,
        "lease": 1,
    }
    async with Harness.opened(settings, tmp_path) as it, it.app.serving():
        yield it


@pytest.fixture
async def jetstream(server: NatsServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1)
    yield client.jetstream()
    await client.close()


class Listeners:
    """One of each kind."""

    def __init__(self) -> None:
        self.group, self.ordered, self.live = Heard(), Heard(), Heard()

    async def subscribe(self, harness: Harness) -> None:
        events = harness.app.events
        await events.subscribe("test.a", self.group, group="g")
        await events.subscribe("test.a", self.ordered, group="in-order", ordered=True)
        await events.subscribe("test.a", self.live)

    async def all_heard(self, sent: list[BaseEvent]) -> None:
        wanted = {one.id for one in sent}
        for heard in (self.group, self.ordered, self.live):
            await heard.until(lambda it: wanted <= set(it.handled))

    def in_order(self) -> list[int]:
        """The numbers that the ordered group handled, without repetitions."""
        found = [read(r.message, BaseEvent).data for r in self.ordered.received]
        return list(dict.fromkeys(found))


@pytest.fixture
async def listeners(harness: Harness) -> Listeners:
    found = Listeners()
    await found.subscribe(harness)
    return found


async def publish(harness: Harness, numbers: range) -> list[BaseEvent]:
    sent = [BaseEvent(event_type="test.a", doctype="Doc", doc_id="1", data=n) for n in numbers]
    for one in sent:
        await harness.app.publish(one)
    return sent


async def test_a_restart_under_load_loses_nothing(
    harness: Harness, server: NatsServer, listeners: Listeners
) -> None:
    sent = await publish(harness, range(30))
    await asyncio.to_thread(server.kill)
    sent += await publish(harness, range(30, 60))
    await asyncio.to_thread(server.start)
    sent += await publish(harness, range(60, 70))
    await listeners.all_heard(sent)
    assert listeners.in_order() == list(range(70))


async def test_a_deleted_consumer_is_made_again_where_the_group_was(
    harness: Harness, jetstream: JetStreamContext, listeners: Listeners
) -> None:
    await listeners.all_heard(await publish(harness, range(5)))
    for consumer in await jetstream.consumers_info(STREAM):
        await jetstream.delete_consumer(STREAM, consumer.name)
    await listeners.all_heard(await publish(harness, range(5, 10)))
    assert listeners.in_order() == list(range(10))


async def test_a_deleted_stream_is_made_again(
    harness: Harness, jetstream: JetStreamContext, listeners: Listeners
) -> None:
    await listeners.all_heard(await publish(harness, range(5)))
    await jetstream.delete_stream(STREAM)
    await listeners.all_heard(await publish(harness, range(5, 10)))
    assert listeners.in_order() == list(range(10))


async def test_publishing_goes_on_while_nats_is_away(
    harness: Harness, server: NatsServer, listeners: Listeners
) -> None:
    await asyncio.to_thread(server.stop)
    sent = await publish(harness, range(5))
    [nats_check] = [c for c in await harness.app.readiness() if c.name == "nats"]
    assert not nats_check.ok
    await asyncio.to_thread(server.start)
    await listeners.all_heard(sent)
    assert listeners.in_order() == list(range(5))


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        (b"", None),
        (b"not json", None),
        (b"{}", {"ce-specversion": "0.3", "ce-id": "1", "ce-source": "x", "ce-type": "y"}),
        (b"{}", {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "x"}),
        (b"\xff\x00", {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "x", "ce-type": "y"}),
        (b"[" * 2000, {"content-type": "application/cloudevents+json"}),
    ],
    ids=["empty", "text", "other version", "no type", "bytes", "deep"],
)
@pytest.mark.parametrize("group", ["g", "in-order"])
async def test_a_foreign_message_is_a_dead_letter_with_its_bytes(
    harness: Harness,
    jetstream: JetStreamContext,
    listeners: Listeners,
    data: bytes,
    headers: dict[str, str] | None,
    group: str,
) -> None:
    await jetstream.publish("framework.events.test.a", data, headers=headers)

    async def buried() -> bool:
        return {letter.group for letter in await harness.app.events.dead()} == {"g", "in-order"}

    await until(buried)
    [letter] = await harness.app.events.dead(group=group)
    assert (letter.message, letter.raw, letter.topic) == (None, data, "test.a")
    assert letter.error.startswith("UndecodableEventError")
    await listeners.all_heard(await publish(harness, range(3)))


async def test_events_of_others_are_read_in_both_modes(
    harness: Harness, jetstream: JetStreamContext, listeners: Listeners
) -> None:
    binary = {
        "ce-specversion": "1.0",
        "ce-id": "a%20b",
        "ce-source": "/shop/%C3%BC",
        "ce-type": "test.a",
        "ce-other": "left out",
    }
    await jetstream.publish("framework.events.test.a", b'{"n": 1}', headers=binary)
    structured = (
        b'{"specversion": "1.0", "id": "c", "source": "/shop", "type": "test.a", "data": [1]}'
    )
    kind = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    await jetstream.publish("framework.events.test.a", structured, headers=kind)
    await listeners.group.count(2)
    found = {r.message.event_id: read(r.message, BaseEvent) for r in listeners.group.received}
    assert found["a b"].source == "/shop/ü"
    assert (found["a b"].data, found["c"].data) == ({"n": 1}, [1])


async def test_a_message_that_nobody_can_read_can_be_redriven(
    harness: Harness, jetstream: JetStreamContext, listeners: Listeners
) -> None:
    """As when a newer version can read it."""
    await jetstream.publish("framework.events.test.a", b"text")

    async def letters() -> list[str]:
        return [letter.id for letter in await harness.app.events.dead(group="g")]

    [first] = await until(letters)
    await harness.app.events.redrive(first)

    async def another() -> bool:
        return [first] != (now := await letters()) and len(now) == 1

    await until(another)
