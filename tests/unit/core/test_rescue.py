"""Rescue: when a lapsed lease says that its worker died, and when it says nothing."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from framework_m.core.errors import DatabaseUnavailableError, UnavailableError
from framework_m.core.interfaces.job_store import Dispatch, Rescue
from framework_m.core.jobs.rescue import Rescuer

LAPSED = Dispatch("1", "add", "default", 2)


class Ports:
    """A store with one lapsed job, and a relay that remembers; what they say is the test's."""

    def __init__(self) -> None:
        self.lapsed = [LAPSED]
        self.error: UnavailableError | None = None

    async def rescue(self, _limit: int, *, patience: timedelta, max_rescues: int) -> Rescue:
        if self.error is not None:
            raise self.error
        found, self.lapsed = self.lapsed, []
        return Rescue(found, [], [])

    async def publish(self, jobs: Sequence[Dispatch]) -> None:
        assert jobs == [LAPSED]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    return moment


def rescuer(ports: Ports) -> Rescuer:
    anything: Any = ports
    return Rescuer(
        anything,
        anything,
        lease=timedelta(seconds=10),
        interval=timedelta(seconds=2),
        max_rescues=3,
    )


async def test_a_lapsed_job_is_rescued(now: list[float]) -> None:
    assert await rescuer(Ports()).sweep() == 1


async def test_after_an_outage_a_whole_lease_is_waited_for(now: list[float]) -> None:
    ports = Ports()
    swept = rescuer(ports)
    ports.error = DatabaseUnavailableError("away")
    with pytest.raises(DatabaseUnavailableError):
        await swept.sweep()
    ports.error = None
    for _ in range(4):
        now[0] += 2
        assert await swept.sweep() == 0
    now[0] += 2.1
    assert await swept.sweep() == 1


async def test_a_process_that_stood_still_waits_for_a_whole_lease(now: list[float]) -> None:
    swept = rescuer(Ports())
    now[0] += 30  # a job blocked the event loop
    assert await swept.sweep() == 0
    found = []
    for _ in range(5):
        now[0] += 2.1
        found.append(await swept.sweep())
    assert found == [0, 0, 0, 0, 1]
