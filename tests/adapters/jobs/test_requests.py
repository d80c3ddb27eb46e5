"""The request contract on every backend."""

import pytest

from tests.contracts.job_request_contract import JobRequestContract
from tests.support.harness import Harness


class TestEveryBackend(JobRequestContract):
    @pytest.fixture
    def harness(self, every_backend: Harness) -> Harness:
        return every_backend
