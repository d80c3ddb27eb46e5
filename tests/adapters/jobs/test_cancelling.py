"""Cancelling, retrying and deleting on every backend."""

import pytest

from tests.contracts.job_cancel_contract import JobCancelContract
from tests.support.harness import Harness


class TestEveryBackend(JobCancelContract):
    @pytest.fixture
    def harness(self, every_backend: Harness) -> Harness:
        return every_backend
