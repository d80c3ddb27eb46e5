"""The contract of ending when nothing is left on every backend."""

import pytest

from tests.contracts.burst_contract import BurstContract
from tests.support.harness import Harness


class TestMemory(BurstContract):
    @pytest.fixture
    def harness(self, memory: Harness) -> Harness:
        return memory


class TestSqlite(BurstContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestPostgresql(BurstContract):
    @pytest.fixture
    def harness(self, postgresql: Harness) -> Harness:
        return postgresql


class TestNatsOnPostgresql(BurstContract):
    @pytest.fixture
    def harness(self, nats_postgresql: Harness) -> Harness:
        return nats_postgresql
