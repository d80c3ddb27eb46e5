"""Publishing to JetStream leaves nothing behind in the client, whether it is answered or not."""

from collections.abc import AsyncIterator

import pytest

from framework_m.adapters.jobs.jetstream_broker import JetStreamBroker
from framework_m.adapters.nats.connection import NatsConnection, NatsOptions
from framework_m.adapters.nats.streams import StreamLimits
from framework_m.core.errors import NatsUnavailableError
from framework_m.core.ids import uuid7
from framework_m.core.interfaces.job_store import Dispatch
from tests.support.harness import until
from tests.support.servers import NatsServer


@pytest.fixture
async def broker(nats_server: NatsServer, nats_prefix: str) -> AsyncIterator[JetStreamBroker]:
    connection = NatsConnection(NatsOptions((nats_server.url,)))
    broker = JetStreamBroker(connection, nats_prefix, StreamLimits(), ack_wait=10)
    await broker.open()
    yield broker
    await connection.close()


def some_jobs() -> list[Dispatch]:
    return [Dispatch(uuid7(), "any", "default", 2) for _ in range(10)]


async def test_publishing_again_and_again_takes_one_subscription(broker: JetStreamBroker) -> None:
    await broker.publish(some_jobs())
    before = len(broker.connection.client._subs)
    for _ in range(5):
        await broker.publish(some_jobs())
    assert len(broker.connection.client._subs) == before


async def test_what_is_never_answered_keeps_no_place_among_the_pending(
    broker: JetStreamBroker, nats_prefix: str
) -> None:
    jetstream = broker.connection.jetstream
    config = (await jetstream.stream_info(f"{nats_prefix}_jobs")).config
    only_default = [f"{nats_prefix}.jobs.default.>"]
    await jetstream.update_stream(config.evolve(no_ack=True, subjects=only_default))
    refused = Dispatch(uuid7(), "any", "other", 2)
    with pytest.raises(NatsUnavailableError):
        await broker.publish([*some_jobs(), refused])

    async def none_pending() -> bool:
        return jetstream.publish_async_pending() == 0

    await until(none_pending)
