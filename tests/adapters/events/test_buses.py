"""The event bus contract on every backend."""

import pytest

from tests.contracts.event_bus_contract import EventBusContract
from tests.support.harness import Harness


class TestMemory(EventBusContract):
    @pytest.fixture
    def harness(self, memory: Harness) -> Harness:
        return memory


class TestSqlite(EventBusContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestPostgresql(EventBusContract):
    @pytest.fixture
    def harness(self, postgresql: Harness) -> Harness:
        return postgresql


class TestNatsOnSqlite(EventBusContract):
    @pytest.fixture
    def harness(self, nats_sqlite: Harness) -> Harness:
        return nats_sqlite


class TestNatsOnPostgresql(EventBusContract):
    @pytest.fixture
    def harness(self, nats_postgresql: Harness) -> Harness:
        return nats_postgresql
