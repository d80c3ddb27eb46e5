"""The contract about broken and declared schedules on every store and scheduler."""

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.contracts.schedule_records_contract import (
    BrokenSchedulesContract,
    DeclaredSchedulesContract,
)
from tests.support.harness import Harness


class TestBroken(BrokenSchedulesContract):
    @pytest.fixture
    def harness(self, every_store: Harness) -> Harness:
        return every_store


@pytest.fixture
def code() -> Iterator[ModuleType]:
    """A module of an application, whose code a test writes."""
    module = ModuleType("code_of_a_test")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


class TestDeclared(DeclaredSchedulesContract):
    @pytest.fixture
    def harness(self, every_store: Harness) -> Harness:
        return every_store
