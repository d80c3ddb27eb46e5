"""The scheduler contract on every backend."""

import pytest

from tests.contracts.scheduler_contract import ScheduleChangesContract, SchedulerContract
from tests.support.harness import Harness


class TestFiring(SchedulerContract):
    @pytest.fixture
    def harness(self, every_backend: Harness) -> Harness:
        return every_backend


class TestChanges(ScheduleChangesContract):
    @pytest.fixture
    def harness(self, every_backend: Harness) -> Harness:
        return every_backend
