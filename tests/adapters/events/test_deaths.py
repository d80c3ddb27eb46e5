"""Killed processes, on the buses that several processes share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.event_death_contract import EventDeathContract
from tests.support.harness import Harness
from tests.support.servers import NatsServer, PostgresServer

SHORT = {"lease": 1, "sweep_interval": 0.2}


class TestSqlite(EventDeathContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[Harness]:
        settings = {"database_url": f"sqlite:///{tmp_path / 'test.db'}", **SHORT}
        async with Harness.opened(settings, tmp_path) as it:
            yield it


class TestPostgresql(EventDeathContract):
    @pytest.fixture
    async def harness(
        self, tmp_path: Path, postgres_server: PostgresServer, postgres_schema: str
    ) -> AsyncIterator[Harness]:
        database = {"database_url": postgres_server.url, "database_schema": postgres_schema}
        async with Harness.opened({**database, **SHORT}, tmp_path) as it:
            yield it


class TestNats(EventDeathContract):
    @pytest.fixture
    async def harness(
        self, tmp_path: Path, nats_server: NatsServer, nats_prefix: str
    ) -> AsyncIterator[Harness]:
        settings = {
            "database_url": f"sqlite:///{tmp_path / 'test.db'}",
            "nats_url": nats_server.url,
            "nats_prefix": nats_prefix,
            **SHORT,
        }
        async with Harness.opened(settings, tmp_path) as it:
            yield it
