"""The job store contract on both databases."""

import pytest

from tests.contracts.job_store_contract import JobStoreContract
from tests.support.harness import Harness


class TestSqlite(JobStoreContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestPostgresql(JobStoreContract):
    @pytest.fixture
    def harness(self, postgresql: Harness) -> Harness:
        return postgresql
