"""The job queue contract on every backend."""

import pytest

from tests.contracts.job_queue_contract import JobQueueContract
from tests.support.harness import Harness


class TestMemory(JobQueueContract):
    @pytest.fixture
    def harness(self, memory: Harness) -> Harness:
        return memory


class TestSqlite(JobQueueContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestPostgresql(JobQueueContract):
    @pytest.fixture
    def harness(self, postgresql: Harness) -> Harness:
        return postgresql


class TestNatsOnSqlite(JobQueueContract):
    @pytest.fixture
    def harness(self, nats_sqlite: Harness) -> Harness:
        return nats_sqlite


class TestNatsOnPostgresql(JobQueueContract):
    @pytest.fixture
    def harness(self, nats_postgresql: Harness) -> Harness:
        return nats_postgresql
