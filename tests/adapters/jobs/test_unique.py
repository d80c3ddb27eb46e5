"""Unique jobs and priorities on every backend."""

import pytest

from tests.contracts.job_unique_contract import JobUniqueContract
from tests.support.harness import Harness


class TestEveryBackend(JobUniqueContract):
    @pytest.fixture
    def harness(self, every_backend: Harness) -> Harness:
        return every_backend
