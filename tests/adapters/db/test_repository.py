"""The repository contract on every database."""

import pytest

from framework_m import FrameworkM
from tests.contracts.repository_contract import RepositoryContract


class TestSqlite(RepositoryContract):
    @pytest.fixture
    def app(self, sqlite_app: FrameworkM) -> FrameworkM:
        return sqlite_app


class TestPostgresql(RepositoryContract):
    @pytest.fixture
    def app(self, postgresql_app: FrameworkM) -> FrameworkM:
        return postgresql_app
