"""The records of workers, on both databases."""

import pytest

from tests.contracts.worker_store_contract import WorkerStoreContract
from tests.support.harness import Harness


class TestWorkerStore(WorkerStoreContract):
    @pytest.fixture(params=["sqlite", "postgresql"])
    def harness(self, request: pytest.FixtureRequest) -> Harness:
        found: Harness = request.getfixturevalue(request.param)
        return found
