"""JobListContract on both databases, and with a queue of its own."""

import pytest

from tests.contracts.job_list_contract import JobListContract
from tests.support.harness import Harness


class TestEveryBackend(JobListContract):
    @pytest.fixture(params=["sqlite", "postgresql", "nats_postgresql"])
    def harness(self, request: pytest.FixtureRequest) -> Harness:
        found: Harness = request.getfixturevalue(request.param)
        return found
