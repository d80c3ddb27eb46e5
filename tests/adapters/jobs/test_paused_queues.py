"""The contract of queues that are paused and ordered on every backend."""

import pytest

from tests.contracts.job_queues_contract import JobQueuesContract
from tests.support.harness import Harness


class TestMemory(JobQueuesContract):
    @pytest.fixture
    def harness(self, memory: Harness) -> Harness:
        return memory


class TestSqlite(JobQueuesContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestPostgresql(JobQueuesContract):
    @pytest.fixture
    def harness(self, postgresql: Harness) -> Harness:
        return postgresql


class TestNatsOnSqlite(JobQueuesContract):
    @pytest.fixture
    def harness(self, nats_sqlite: Harness) -> Harness:
        return nats_sqlite


class TestNatsOnPostgresql(JobQueuesContract):
    @pytest.fixture
    def harness(self, nats_postgresql: Harness) -> Harness:
        return nats_postgresql
