"""Streams are created as declared, brought back when they drift, and never deleted."""

from collections.abc import AsyncIterator

import pytest
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from framework_m.adapters.nats.connection import NatsConnection, NatsOptions
from framework_m.adapters.nats.streams import StreamLimits, ensure, jobs_stream, parked_stream
from tests.support.servers import NatsServer


@pytest.fixture
async def jetstream(nats_server: NatsServer) -> AsyncIterator[JetStreamContext]:
    connection = NatsConnection(NatsOptions((nats_server.url,)))
    await connection.open()
    yield connection.jetstream
    await connection.close()


async def test_a_missing_stream_is_created_as_declared(
    jetstream: JetStreamContext, nats_prefix: str
) -> None:
    spec = jobs_stream(nats_prefix)
    assert await ensure(jetstream, spec, StreamLimits()) == []
    config = (await jetstream.stream_info(f"{nats_prefix}_jobs")).config
    assert config.retention == RetentionPolicy.WORK_QUEUE
    assert config.subjects == [f"{nats_prefix}.jobs.>"]
    assert config.storage == StorageType.FILE
    assert not config.max_age, "a work queue forgets nothing by age"


async def test_seeing_to_it_again_changes_nothing(
    jetstream: JetStreamContext, nats_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    for spec in (jobs_stream(nats_prefix), parked_stream(nats_prefix)):
        for _ in range(2):
            assert await ensure(jetstream, spec, StreamLimits(max_bytes=10_000_000)) == []
    assert caplog.text == ""


async def test_drift_is_mended_where_the_server_allows_it(
    jetstream: JetStreamContext, nats_prefix: str
) -> None:
    spec = parked_stream(nats_prefix)
    await ensure(jetstream, spec, StreamLimits())
    changed = spec.config(StreamLimits())
    changed.max_age = 60
    changed.max_msgs = 7
    await jetstream.update_stream(changed)
    await jetstream.publish(f"{nats_prefix}.parked.jobs", b"kept")

    assert await ensure(jetstream, spec, StreamLimits()) == []
    info = await jetstream.stream_info(spec.name)
    assert info.config.max_age == spec.max_age
    assert info.config.max_msgs == 7, "what we do not declare is the operator's"
    assert info.state.messages == 1


async def test_drift_that_the_server_does_not_let_us_mend_is_reported(
    jetstream: JetStreamContext, nats_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    spec = jobs_stream(nats_prefix)
    await jetstream.add_stream(
        StreamConfig(name=spec.name, subjects=[f"{nats_prefix}.jobs.>"], storage=StorageType.MEMORY)
    )
    await jetstream.publish(f"{nats_prefix}.jobs.default.2", b"kept")
    drift = await ensure(jetstream, spec, StreamLimits())
    assert any(line.startswith("storage is memory, not file") for line in drift), drift
    assert "drifted" in caplog.text
    assert (await jetstream.stream_info(spec.name)).state.messages == 1, "never by deleting"
