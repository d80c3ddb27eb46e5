"""Limits on every backend."""

import pytest

from tests.contracts.job_limits_contract import JobLimitsContract
from tests.support.harness import Harness


class TestEveryBackend(JobLimitsContract):
    @pytest.fixture
    def harness(self, every_backend: Harness) -> Harness:
        return every_backend
