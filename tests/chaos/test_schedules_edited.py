"""Schedules edited all the time: what is fired is what each said at the time (invariant 8)."""

import asyncio
import json
import logging
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest
from sqlalchemy import select

from framework_m.adapters.db.schedule_schema import schedule_firing
from framework_m.adapters.db.schema import job_log
from framework_m.core.scheduling.rules import timing_of
from tests.chaos.crew import Crew
from tests.support.chaos_editor import Edit, Said
from tests.support.harness import Harness, until

logger = logging.getLogger(__name__)

RECORDS = 500
SECONDS = 30
EDITORS = 2
CLEARLY = timedelta(seconds=2)
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Period:
    """From one edit to the next: what a schedule said meanwhile."""

    said: Said
    begun: Edit
    ended: Edit
    timed_since: datetime
    """When it began to have its times: later edits may have left them as they were."""


@dataclass(frozen=True)
class Fired:
    """A due time, what became of it, and the argument of its job: the version of the record."""

    schedule: str
    due_at: datetime
    fired_at: datetime
    version: int


@pytest.mark.chaos
@pytest.mark.parametrize(
    "harness", ["sqlite", "postgresql", "nats_sqlite", "nats_postgresql"], indirect=True
)
async def test_what_fires_is_what_the_records_said_at_the_time(
    harness: Harness, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        Crew(harness, stack, size=2)
        await until(lambda: _are_at_work(harness, 2))
        share = RECORDS // EDITORS
        editors = [_edit(harness, tmp_path / f"journal{n}", n * share, share) for n in range(2)]
        journals = await asyncio.gather(*editors)
        await until(lambda: _is_idle(harness))
    judge(await _fired(harness), [edit for journal in journals for edit in journal])


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


def judge(fired: Sequence[Fired], edits: Sequence[Edit]) -> None:
    """Each due time by the record that was in force, and none left out that clearly was due."""
    periods = _periods(edits)
    twice = [which for which, n in Counter((f.schedule, f.due_at) for f in fired).items() if n > 1]
    assert not twice, twice[:5]
    for one in fired:
        in_force = [period for period in periods[one.schedule] if _may_have_fired(period, one)]
        assert in_force, f"{one}: not what the record said: {periods[one.schedule]}"
    there = {(one.schedule, one.due_at) for one in fired}
    expected = {(name, due_at) for name in periods for due_at in _clearly_due(periods[name])}
    left_out = sorted(expected - there)
    assert not left_out, f"{len(left_out)} left out, as {left_out[0]}: {periods[left_out[0][0]]}"
    logger.info("%d edits, %d fired, %d certain", len(edits), len(fired), len(expected))
    assert len(expected) > len(fired) / 4, "most of it was too quick to judge"


def _periods(edits: Sequence[Edit]) -> dict[str, list[Period]]:
    by_name: dict[str, list[Edit]] = defaultdict(list)
    for edit in edits:
        by_name[edit.said.name].append(edit)
    return {name: list(_periods_of_one(its)) for name, its in by_name.items()}


def _periods_of_one(edits: Sequence[Edit]) -> Iterator[Period]:
    following = iter([*edits[1:], edits[-1]])
    for _, run in groupby(edits, key=lambda edit: (edit.said.cron, edit.said.enabled)):
        its = list(run)
        for edit in its:
            yield Period(edit.said, edit, next(following), timed_since=its[0].before)


def _may_have_fired(period: Period, fired: Fired) -> bool:
    """Who fires holds the record, so this was between the commits of two edits."""
    return (
        period.said.version == fired.version
        and period.said.enabled
        and period.begun.before <= fired.fired_at <= period.ended.after
        and period.timed_since < fired.due_at <= period.ended.after
        and fired.due_at in set(_due(period.said.cron, fired.due_at))
    )


def _clearly_due(periods: Sequence[Period]) -> Iterator[datetime]:
    """Edits that leave the times as they were do not interrupt them."""
    for _, run in groupby(periods, key=lambda period: period.timed_since):
        its = list(run)
        if its[0].said.enabled:
            begin, end = its[0].begun.after + CLEARLY, its[-1].ended.before - CLEARLY
            timing = timing_of(its[0].said.cron, "UTC", None, None)
            yield from timing.between(begin, end)


def _due(cron: str, moment: datetime) -> Iterator[datetime]:
    timing = timing_of(cron, "UTC", None, None)
    return timing.between(moment - timedelta(seconds=1), moment)


async def _edit(harness: Harness, journal: Path, first: int, count: int) -> list[Edit]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.chaos_editor"),
        *(str(journal), str(first), str(count), str(SECONDS), str(first)),
        cwd=ROOT,
        env={**os.environ, **harness.environment()},
    )
    assert await process.wait() == 0
    return [_read(line) for line in journal.read_text().splitlines()]


def _read(line: str) -> Edit:
    known = json.loads(line)
    before, after = (datetime.fromisoformat(known[name]) for name in ("before", "after"))
    return Edit(before, after, Said(**known["said"]))


async def _fired(harness: Harness) -> list[Fired]:
    """Every entry of the history, and every job of a schedule, whether or not it has the other."""
    entry, job = schedule_firing.c, job_log.c
    fetch = harness.app.ports.database.fetch
    args = {
        row.name: json.loads(row.args)
        for row in await fetch(select(job.name, job.args).where(job.schedule.like("s___")))
    }
    entries = await fetch(select(schedule_firing).where(entry.schedule.like("s___")))
    assert args.keys() == {row.job_id for row in entries}, "each has its job, each job its entry"
    return [Fired(row.schedule, row.due_at, row.fired_at, args[row.job_id]["a"]) for row in entries]


async def _are_at_work(harness: Harness, count: int) -> bool:
    return len(await harness.app.workers.list()) == count


async def _is_idle(harness: Harness) -> bool:
    return not await harness.app.ports.schedule_store.pending(timedelta(), 1)
