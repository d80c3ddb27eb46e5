"""Limits with several worker processes: never more at once, never idle, never stuck."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from framework_m import JobStatus
from tests.chaos.crew import LEASE, Crew, ended
from tests.support import limited_jobs
from tests.support.harness import Harness
from tests.support.servers import NatsServerFactory, PostgresServerFactory

KEYS = 10
AT_ONCE = 2
APP = "tests.support.limited_application:app"


@dataclass(frozen=True)
class Scale:
    """How much of it."""

    jobs: int
    kills: int
    sweep_interval: float


QUIET = Scale(jobs=300, kills=0, sweep_interval=3600)
"""Were a gate left closed with room behind it, nobody would open it before the test gives up."""
KILLED = Scale(jobs=1_000, kills=8, sweep_interval=0.5)


@pytest.fixture(params=["sqlite", "postgresql", "nats"])
async def harness(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_server_factory: PostgresServerFactory,
    nats_server_factory: NatsServerFactory,
) -> AsyncIterator[Harness]:
    settings: dict[str, Any] = {"lease": LEASE}
    if request.param == "sqlite":
        settings["database_url"] = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        settings["database_url"] = postgres_server_factory().url
    if request.param == "nats":
        settings["nats_url"] = nats_server_factory().url
    async with Harness.opened(settings, tmp_path) as it:
        yield it


@pytest.mark.parametrize(
    "scale", [QUIET, pytest.param(KILLED, marks=pytest.mark.chaos)], ids=["quiet", "killed"]
)
async def test_never_three_at_once_for_a_key_and_none_is_left_waiting(
    harness: Harness, tmp_path: Path, scale: Scale
) -> None:
    log = tmp_path / "log"
    sweep = {"FRAMEWORK_M_SWEEP_INTERVAL": str(scale.sweep_interval)}
    async with harness.application(["tests.support.limited_jobs"]) as app:
        for number in range(scale.jobs):
            await limited_jobs.told_by_key.enqueue(f"k{number % KEYS}", log)
        with ExitStack() as stack:
            crew = Crew(harness, stack, size=3, app=APP, **sweep)
            async with app.serving():
                for nth in range(scale.kills):
                    await ended(harness, scale.jobs * (nth + 1) // (scale.kills + 2))
                    crew.kill_one()
                await ended(harness, scale.jobs)
        statuses = Counter(job.status for job in await app.jobs.list(limit=scale.jobs + 1))
    assert statuses == {JobStatus.SUCCESS: scale.jobs}
    most = most_at_once(log, crew.killed_at)
    assert len(most) == KEYS
    assert max(most.values()) == AT_ONCE, most


def most_at_once(log: Path, killed_at: Mapping[int, float]) -> dict[str, int]:
    """By key; a run whose process was killed had ended by then."""
    changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
    running: dict[str, tuple[str, float]] = {}
    for line in log.read_text().splitlines():
        what, key, run, moment = line.split()
        changes[key].append((float(moment), 1 if what == "start" else -1))
        if what == "start":
            running[run] = (key, float(moment))
        else:
            del running[run]
    for run, (key, _) in running.items():
        changes[key].append((killed_at[int(run.partition(".")[0])], -1))
    most: dict[str, int] = {}
    for key, moments in changes.items():
        now = 0
        for _, change in sorted(moments):  # at the same moment, who ends is first
            now += change
            most[key] = max(most.get(key, 0), now)
    return most
