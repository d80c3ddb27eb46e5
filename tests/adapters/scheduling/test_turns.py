"""The contract about late, coinciding and missed due times on every store and scheduler."""

import pytest

from tests.contracts.schedule_turns_contract import ScheduleTurnsContract
from tests.support.harness import Harness


class TestEveryStore(ScheduleTurnsContract):
    @pytest.fixture
    def harness(self, every_store: Harness) -> Harness:
        return every_store
