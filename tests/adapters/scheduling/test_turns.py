"""The contract about late, coinciding and missed due times on every backend."""

import pytest

from tests.contracts.schedule_turns_contract import ScheduleTurnsContract
from tests.support.harness import Harness


class TestEveryBackend(ScheduleTurnsContract):
    @pytest.fixture
    def harness(self, every_backend: Harness) -> Harness:
        return every_backend
