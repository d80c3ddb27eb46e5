"""Threads and processes: on an embedded backend, and on the one that has everything."""

import pytest

from tests.contracts.job_executor_contract import JobExecutorContract
from tests.support.harness import Harness


class TestSqlite(JobExecutorContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestNatsOnPostgresql(JobExecutorContract):
    @pytest.fixture
    def harness(self, nats_postgresql: Harness) -> Harness:
        return nats_postgresql
