"""Killed workers, on every backend."""

import pytest

from tests.contracts.worker_death_contract import WorkerDeathContract
from tests.support.harness import Harness


class TestMemory(WorkerDeathContract):
    """One process at a time carries its jobs in memory; the rows outlive it."""

    changed = {"FRAMEWORK_M_BACKEND": "memory"}  # noqa: RUF012 - read only

    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestSqlite(WorkerDeathContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestPostgresql(WorkerDeathContract):
    @pytest.fixture
    def harness(self, postgresql: Harness) -> Harness:
        return postgresql


@pytest.mark.chaos  # NATS and SQLite are shown above and below
class TestNatsOnSqlite(WorkerDeathContract):
    @pytest.fixture
    def harness(self, nats_sqlite: Harness) -> Harness:
        return nats_sqlite


class TestNatsOnPostgresql(WorkerDeathContract):
    @pytest.fixture
    def harness(self, nats_postgresql: Harness) -> Harness:
        return nats_postgresql
