"""GateOpener: whom it lets in where nobody leaves, and whom it leaves to who does."""

import itertools
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from framework_m.core.interfaces.job_store import Dispatch, GateReport, JobStore, Room
from framework_m.core.jobs import gates
from framework_m.core.jobs.gates import GateOpener
from framework_m.core.outbox.relay import Relay

INTERVAL = 2.0


class Gate:
    """A store with one gate, and who is told of it."""

    def __init__(self, *, is_stuck: bool = False, is_limited: bool = True) -> None:
        self.opened: list[int] = []
        self.places = 0
        self._is_stuck, self._is_limited = is_stuck, is_limited
        self._jobs = (str(number) for number in itertools.count())

    async def look_at_gates(self, after: str) -> GateReport:
        first = "same" if self._is_stuck else next(self._jobs)
        room = Room("gate", self.places, first, False, self._is_limited)
        return GateReport([room] if self.places else [], None, "")

    async def let_through(self, places: Mapping[str, int]) -> Sequence[Dispatch]:
        self.opened += places.values()
        return []

    async def forget_rates(self, limit: int) -> int:
        return 0

    async def publish(self, jobs: Sequence[Dispatch]) -> None:
        """Nobody is there to hear it."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(gates, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


async def opened(gate: Gate, clock: SimpleNamespace, places: Sequence[int]) -> list[int]:
    """What is let in at looks that find so many places, an interval apart."""
    opener = GateOpener(cast("JobStore", gate), cast("Relay", cast("Any", gate)), INTERVAL)
    for some in places:
        gate.places = some
        await opener.look()
        clock.now += INTERVAL
    return gate.opened


async def test_what_is_free_for_a_moment_is_left_to_who_leaves(clock: SimpleNamespace) -> None:
    assert await opened(Gate(), clock, [1, 0, 1, 1, 0, 2, 1, 0]) == []


async def test_a_raised_limit_lets_more_in_though_jobs_come_and_go(clock: SimpleNamespace) -> None:
    assert await opened(Gate(), clock, [9, 7, 8, 9, 9, 0]) == [7, 8]


async def test_who_stays_first_though_there_is_room_is_let_in(clock: SimpleNamespace) -> None:
    assert await opened(Gate(is_stuck=True), clock, [3, 3]) == [3]


async def test_where_the_limit_is_gone_all_are_let_in_look_by_look(
    clock: SimpleNamespace,
) -> None:
    assert await opened(Gate(is_limited=False), clock, [500, 500, 500]) == [500, 500]
