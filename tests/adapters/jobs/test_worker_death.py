"""Killed workers, on the backends that several processes share."""

import pytest

from tests.contracts.worker_death_contract import WorkerDeathContract
from tests.support.harness import Harness


class TestSqlite(WorkerDeathContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestPostgresql(WorkerDeathContract):
    @pytest.fixture
    def harness(self, postgresql: Harness) -> Harness:
        return postgresql


class TestNatsOnSqlite(WorkerDeathContract):
    @pytest.fixture
    def harness(self, nats_sqlite: Harness) -> Harness:
        return nats_sqlite


class TestNatsOnPostgresql(WorkerDeathContract):
    @pytest.fixture
    def harness(self, nats_postgresql: Harness) -> Harness:
        return nats_postgresql
