"""What every backend promises about due times that come late, together, or not at all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework_m import FrameworkM, JobStatus
from framework_m.core.doctypes.scheduled_job import ScheduleStatus
from tests.support import jobs
from tests.support.harness import Harness
from tests.support.schedules import (
    EVERY_SECOND,
    NEVER_SOON,
    due_times,
    fired,
    in_the_past,
    jobs_of,
    make_due,
    next_run,
    past,
    require_one_job_each,
    statuses,
    stored,
)

HOUR = timedelta(hours=1)
QUEUED, SKIPPED, MISSED = ScheduleStatus.QUEUED, ScheduleStatus.SKIPPED, ScheduleStatus.MISSED
IDLE = ("idle",)
"""Queues of a worker that fires and runs nothing."""


class ScheduleTurnsContract:
    """Subclass it with a `harness` fixture."""

    async def test_due_times_that_nobody_was_there_for(self, harness: Harness) -> None:
        """All rules at once, as after the same outage: 5.5 hours of a schedule every hour."""
        started = in_the_past(hours=5, minutes=30)
        rules: dict[str, dict[str, Any]] = {
            "none": {"catch_up": "none"},
            "last": {"catch_up": "last"},
            "all": {"catch_up": "all"},
            "window": {"catch_up": "all", "catch_up_window": 3 * 3600},
        }
        for name, rule in rules.items():
            await _every_hour(harness.app, name, started, **rule)
            await make_due(harness, name, started)
        async with harness.app.worker(IDLE):
            found = {name: await fired(harness, name) for name in rules}
        due = [started + n * HOUR for n in range(6)]
        assert {name: _told(firings) for name, firings in found.items()} == {
            "none": [(due[0], MISSED, 6, due[5])],
            "last": [(due[0], MISSED, 5, due[4]), (due[5], QUEUED, 1, None)],
            "all": [(moment, QUEUED, 1, None) for moment in due],
            "window": [
                (due[0], MISSED, 3, due[2]),
                *((moment, QUEUED, 1, None) for moment in due[3:]),
            ],
        }
        assert {await next_run(harness, name) for name in rules} == {started + 6 * HOUR}
        require_one_job_each(found["all"], await jobs_of(harness, "all"))
        assert await jobs_of(harness, "none") == []

    @pytest.mark.parametrize("catch_up", ["none", "last"])
    async def test_what_is_a_little_late_is_in_time(self, harness: Harness, catch_up: str) -> None:
        started = in_the_past(hours=2, minutes=1)
        async with harness.application(schedule_grace=600).worker(IDLE):
            await _every_hour(harness.app, "late", started, catch_up=catch_up)
            await make_due(harness, "late", started, hasten=harness.app)
            firings = await fired(harness, "late", 2)
        last = started + 2 * HOUR
        assert _told(firings) == [(started, MISSED, 2, started + HOUR), (last, QUEUED, 1, None)]

    async def test_more_than_fit_one_turn_follow_at_once(self, harness: Harness) -> None:
        started = in_the_past(hours=4, minutes=30)
        await harness.app.schedule(
            jobs.add, "@every 1m", name="many", start_date=started, catch_up="all", a=1
        )
        await make_due(harness, "many", started)
        async with harness.app.worker(IDLE):
            firings = await fired(harness, "many", 250)
        assert due_times(firings)[:250] == [started + timedelta(minutes=n) for n in range(250)]
        assert set(statuses(firings)) == {QUEUED}

    async def test_overlap_is_skipped_or_allowed(self, harness: Harness) -> None:
        gate, log = harness.folder / "gate", harness.folder / "log"
        for overlap in ("skip", "allow"):
            await harness.app.schedule(
                jobs.wait_for, NEVER_SOON, name=overlap, overlap=overlap, gate=gate, log=log
            )
        async with harness.app.worker():
            await _fire_both(harness, 30, 1)
            await harness.lines(log, 2)
            await _fire_both(harness, 20, 2)
            await harness.lines(log, 3)
            gate.touch()
            for job in (*await jobs_of(harness, "skip"), *await jobs_of(harness, "allow")):
                assert (await harness.ended(job.job_id)).status is JobStatus.SUCCESS
            await _fire_both(harness, 10, 3)
        skipped = await past(harness, "skip")
        assert [it.job_id is None for it in skipped] == [False, True, False]
        assert skipped[1].status is SKIPPED
        assert "has not ended" in (skipped[1].detail or "")
        assert None not in [it.job_id for it in await past(harness, "allow")]

    async def test_of_all_that_is_made_up_one_runs_where_overlap_is_skipped(
        self, harness: Harness
    ) -> None:
        started = in_the_past(hours=3, minutes=30)
        await _every_hour(harness.app, "alone", started, catch_up="all", overlap="skip")
        await make_due(harness, "alone", started)
        async with harness.app.worker(IDLE):
            firings = await fired(harness, "alone", 4)
        assert statuses(firings) == [QUEUED, SKIPPED, SKIPPED, SKIPPED]
        assert (await stored(harness, "alone")).last_status is SKIPPED

    async def test_jitter_puts_its_jobs_off(self, harness: Harness) -> None:
        started, jitter = in_the_past(hours=3, minutes=30), timedelta(hours=24)
        await _every_hour(harness.app, "jittery", started, catch_up="all", jitter=86_400)
        await make_due(harness, "jittery", started)
        async with harness.application().worker(IDLE):
            firings = await fired(harness, "jittery", 4)
        found = await jobs_of(harness, "jittery")
        waits = [job.scheduled_at - at for job, at in zip(found, due_times(firings), strict=True)]
        assert all(timedelta() <= wait < jitter for wait in waits)
        assert len(set(waits)) == 4, "each its own"
        assert {job.status for job in found} <= {JobStatus.SCHEDULED, JobStatus.QUEUED}

    async def test_it_fires_from_start_to_end(self, harness: Harness) -> None:
        begin = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        end = begin + timedelta(seconds=2)
        async with harness.app.worker(IDLE):
            await harness.app.schedule(
                jobs.add,
                EVERY_SECOND,
                name="bounded",
                start_date=begin,
                end_date=end,
                catch_up="all",
                a=1,
            )
            assert await next_run(harness, "bounded") == begin
            await harness.app.schedule(jobs.add, EVERY_SECOND, name="after", start_date=end, a=1)
            await fired(harness, "after", 2)
            firings = await fired(harness, "bounded", 3)
        assert due_times(firings) == [begin, begin + timedelta(seconds=1), end]
        assert await next_run(harness, "bounded") is None

    async def test_an_equal_unique_job_takes_its_place(self, harness: Harness) -> None:
        await harness.app.schedule(jobs.once_at_a_time, NEVER_SOON, name="unique")
        async with harness.app.worker(IDLE):
            await make_due(harness, "unique", in_the_past(minutes=2), hasten=harness.app)
            await fired(harness, "unique")
            await make_due(harness, "unique", in_the_past(minutes=1), hasten=harness.app)
            firings = await fired(harness, "unique", 2)
        assert statuses(firings) == [QUEUED, SKIPPED]
        assert str(firings[0].job_id) in str(firings[1].detail)
        assert len(await jobs_of(harness, "unique")) == 1

    async def test_a_due_time_that_comes_again_makes_no_second_job(self, harness: Harness) -> None:
        """As where somebody puts a record back to what it was."""
        await harness.app.schedule(jobs.add, NEVER_SOON, name="again", a=1)
        at, control = in_the_past(minutes=30), in_the_past(minutes=20)
        async with harness.app.worker(IDLE):
            await make_due(harness, "again", at, hasten=harness.app)
            first = await fired(harness, "again")
            await make_due(harness, "again", at, hasten=harness.app)
            await harness.app.schedule(jobs.add, NEVER_SOON, name="control", a=1)
            await make_due(harness, "control", control, hasten=harness.app)
            await fired(harness, "control")
        assert await past(harness, "again") == first
        assert [job.job_id for job in await jobs_of(harness, "again")] == [first[0].job_id]


async def _every_hour(app: FrameworkM, name: str, started: datetime, **options: Any) -> None:
    await app.schedule(jobs.add, "@every 1h", name=name, start_date=started, a=1, **options)


async def _fire_both(harness: Harness, minutes: int, count: int) -> None:
    for name in ("skip", "allow"):
        await make_due(harness, name, in_the_past(minutes=minutes), hasten=harness.app)
        await fired(harness, name, count)


def _told(firings: Any) -> list[tuple[Any, ...]]:
    return [(it.due_at, it.status, it.count, it.until) for it in firings]
