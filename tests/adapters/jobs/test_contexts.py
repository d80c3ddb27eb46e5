"""The context contract on every backend."""

import pytest

from tests.contracts.job_context_contract import JobContextContract
from tests.support.harness import Harness


class TestEveryBackend(JobContextContract):
    @pytest.fixture
    def harness(self, every_backend: Harness) -> Harness:
        return every_backend
