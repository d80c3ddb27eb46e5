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
