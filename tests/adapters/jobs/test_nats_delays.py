"""Waits on NATS are messages that the server keeps and delivers itself (invariant 7)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from framework_m import JobStatus
from tests.support import jobs
from tests.support.harness import Harness
from tests.support.servers import NatsServer, NatsServerFactory


@pytest.fixture
def server(nats_server_factory: NatsServerFactory) -> NatsServer:
    return nats_server_factory()


@pytest.fixture
async def harness(server: NatsServer, tmp_path: Path) -> AsyncIterator[Harness]:
    """No sweep comes to help: what arrives was delivered by the server."""
    settings = {
        "database_url": f"sqlite:///{tmp_path / 'test.db'}",
        "nats_url": server.url,
        "sweep_interval": 3600,
    }
    async with Harness.opened(settings, tmp_path) as it:
        yield it


async def test_a_retry_is_delivered_by_the_server(harness: Harness) -> None:
    async with harness.app.worker():
        handle = await jobs.asks_to_be_retried.enqueue(0.2)
        assert await handle.result(timeout=20) == 2


async def test_a_retry_survives_the_death_of_worker_and_server(
    harness: Harness, server: NatsServer
) -> None:
    async with harness.app.worker():
        handle = await jobs.asks_to_be_retried.enqueue(1.0)
        await harness.reached(handle, JobStatus.RETRYING)
        await _scheduled(harness)
    server.kill()
    server.start()
    async with harness.application().worker():
        assert (await harness.ended(handle)).status is JobStatus.SUCCESS


async def _scheduled(harness: Harness) -> None:
    """Until the message waits in the stream."""
    broker: Any = harness.app.ports.job_streams
    await harness.app.ports.relay.close()
    info = await broker.connection.jetstream.stream_info(
        "framework_jobs", subjects_filter="framework.jobs.at.>"
    )
    assert info.state.subjects
