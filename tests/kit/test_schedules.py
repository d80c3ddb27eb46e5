"""Schedules in a user's tests: the clock moves, and what is due runs."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, update

from framework_m import (
    CatchUp,
    FrameworkM,
    InvalidDocumentError,
    JobStatus,
    ScheduledJob,
    cron,
)
from framework_m.adapters.db.schedule_schema import scheduled_job
from framework_m.core.doctypes.scheduled_job import ScheduleStatus
from framework_m.core.errors import DocumentStateError, NotFoundError
from framework_m.core.scheduling.declared import CronJob
from framework_m.testing import Kit
from tests.support import scheduled_jobs
from tests.support.scheduled_jobs import app, bill, ran, report

MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    ran.clear()
    async with Kit(app) as kit:
        kit.clock.move_to(MIDNIGHT)
        yield kit


async def test_a_declared_schedule_fires_when_its_time_has_come() -> None:
    ran.clear()
    async with Kit(app) as kit:
        names = [schedule.name for schedule in await app.schedules.list()]
        assert names == ["clean_up", "nine"], "not the framework's own"
        due = (await app.schedules.get("nine")).next_runs[0]
        assert await kit.drain() == []
        kit.clock.move_to(due)
        done = await kit.drain()
        mine = [job for job in done if job.schedule == "nine"]
        assert [(job.job_name, job.queue, job.args) for job in mine] == [
            ("report", "reports", {"month": "November"})
        ]
        assert (mine[0].due_at, mine[0].scheduled_at) == (due, due)
        assert "nine November 1 due 09:00:00" in ran


async def test_a_job_runs_again_for_the_due_time_that_it_was_for(kit: Kit) -> None:
    await app.schedule(report, "@hourly", month="all")
    kit.clock.move_to(MIDNIGHT + timedelta(hours=1, seconds=2))
    [done] = [job for job in await kit.drain() if job.schedule == "report"]
    kit.clock.advance(minutes=7)
    again = await app.jobs.retry(done.job_id)
    await kit.drain()
    assert ran.count("report all 1 due 01:00:00") == 2
    assert (await again.record()).schedule == "report"


async def test_a_week_away_is_made_up_once_by_default(kit: Kit) -> None:
    await app.schedule("bill", "0 6 * * *", args={"day": "2026-11-26"})
    kit.clock.advance(days=7)
    done = [job for job in await kit.drain() if job.job_name == "bill"]
    assert [job.due_at for job in done] == [MIDNIGHT + timedelta(days=6, hours=6)]
    history = await app.schedules.history("bill")
    assert [(it.status, it.count) for it in history] == [
        (ScheduleStatus.SUCCESS, 1),
        (ScheduleStatus.MISSED, 6),
    ]
    info = await app.schedules.get("bill")
    assert info.last_status is ScheduleStatus.SUCCESS
    assert info.next_runs[0] == MIDNIGHT + timedelta(days=7, hours=6)


async def test_all_days_of_it_are_made_up_where_that_is_wanted(kit: Kit) -> None:
    rule: dict[str, Any] = {"catch_up": "all", "catch_up_window": 10 * 86_400}
    await app.schedule(bill, "0 6 * * *", day=date(2026, 1, 1), **rule)
    kit.clock.advance(days=7)
    done = [job for job in await kit.drain() if job.job_name == "bill"]
    assert sorted(job.due_at.day for job in done if job.due_at) == [1, 2, 26, 27, 28, 29, 30]


async def test_saving_again_changes_the_schedule_and_leaves_out_nothing(kit: Kit) -> None:
    first = await app.schedule(report, "@daily", name="daily", month="May", queue="low")
    again = await app.schedule(report, "@hourly", name="daily")
    assert (again.version, again.cron_expression) == (2, "@hourly")
    assert (again.args, again.queue) == ({"month": "May"}, "low")
    assert again.next_run == MIDNIGHT + timedelta(hours=1)
    same = await app.schedule(report, "@hourly", name="daily")
    assert same.version == 2, "nothing changed"
    assert first.description == "every day at 00:00, UTC"


async def test_arguments_may_be_of_the_functions_own_types(kit: Kit) -> None:
    await app.schedule(report, "@hourly", month="May", rate=Decimal("2.5"))
    await app.schedule(bill, "@hourly", args={"day": date(2026, 5, 1)})
    kit.clock.advance(hours=1)
    await kit.drain()
    assert {"report May 2.5 due 01:00:00", "bill 2026-05-01"} <= set(ran)


async def test_a_rollback_changes_nothing(kit: Kit) -> None:
    class Undone(Exception):
        pass

    await app.schedule(report, "@hourly", month="May")
    with pytest.raises(Undone):
        async with app.transaction():
            await app.schedule(report, "* * * * *", month="June")
            await app.schedule(bill, "* * * * *", day="2026-05-01")
            raise Undone
    kit.clock.advance(minutes=10)
    assert await kit.drain() == []
    with pytest.raises(NotFoundError):
        await app.schedules.get("bill")


async def test_a_paused_one_rests_and_makes_nothing_up(kit: Kit) -> None:
    await app.schedule(report, "@hourly", month="May")
    await app.schedules.pause("report")
    kit.clock.advance(hours=2)
    assert await kit.drain() == []
    resumed = await app.schedules.resume("report")
    assert resumed.next_run == MIDNIGHT + timedelta(hours=3)
    assert await kit.drain() == []


async def test_it_can_be_run_at_any_time(kit: Kit) -> None:
    await app.schedule(report, "@yearly", month="May", queue="default")
    await app.schedules.pause("report")
    handle = await app.schedules.run("report")
    [done] = await kit.drain()
    assert (done.job_id, done.queue, done.schedule) == (handle, "default", "report")
    assert done.due_at is not None, "the moment of asking"
    assert (await app.schedules.get("report")).last_run is None


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"cron_expression": "61 * * * *"}, "cron_expression"),
        ({"cron_expression": "0 0 30 2 *"}, "cron_expression"),
        ({"cron_expression": "@every 100ms"}, "cron_expression"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"function": "reprot"}, "function"),
        ({"args": {"month": 7}}, "args.month"),
        ({"args": {}}, "args.month"),
        ({"args": {"month": "May", "year": 2026}}, "args.year"),
        ({"queue": "a queue"}, "queue"),
        ({"priority": 5}, "priority"),
        ({"jitter": -1}, "jitter"),
        ({"overlap": "never"}, "overlap"),
        ({"start_date": "2026-02-01", "end_date": "2026-01-01"}, "end_date"),
        ({"start_date": "0001-01-01T00:00:00Z"}, "start_date"),
        ({"start_date": "9999-12-31T23:59:59-12:00"}, "start_date"),
        ({"end_date": "9999-12-31T23:59:59", "timezone": "America/New_York"}, "end_date"),
    ],
)
async def test_bad_input_names_the_field(kit: Kit, changed: dict[str, Any], field: str) -> None:
    fields = {"function": "report", "cron_expression": "@daily", "args": {"month": "May"}}
    fields |= changed
    function, expression = fields.pop("function"), fields.pop("cron_expression")
    with pytest.raises(InvalidDocumentError) as caught:
        await app.schedule(str(function), str(expression), name="bad", **fields)
    assert [error.field for error in caught.value.errors] == [field]


async def test_a_function_may_be_named_by_its_place(kit: Kit) -> None:
    saved = await app.schedule(f"{report.function.__module__}.report", "@daily", month="May")
    assert saved.function == "report"


async def test_dates_without_a_zone_are_those_of_the_schedule(kit: Kit) -> None:
    saved = await app.schedule(
        report,
        "0 9 * * *",
        month="May",
        timezone="America/New_York",
        start_date=datetime(2026, 12, 24),  # noqa: DTZ001 - that is what is tried
        end_date=datetime(2026, 12, 24, 23, 59, 59),  # noqa: DTZ001 - as above
    )
    assert saved.next_run == datetime(2026, 12, 24, 14, tzinfo=UTC)
    kit.clock.move_to(datetime(2027, 1, 1, tzinfo=UTC))
    await kit.drain()
    assert ran.count("report May 1 due 14:00:00") == 1
    assert (await app.schedules.get("report")).next_runs == ()


async def test_what_the_framework_keeps_is_not_the_callers_to_change(kit: Kit) -> None:
    await app.schedule(report, "@daily", month="May")
    schedules = app.repository(ScheduledJob)
    found = await schedules.get("report")
    found.next_run = found.last_run = MIDNIGHT
    found.declared_in = found.last_job = found.description = "somewhere"
    await schedules.save(found)
    kept = await schedules.get("report")
    assert kept.next_run == MIDNIGHT + timedelta(days=1)
    assert (kept.last_run, kept.last_job, kept.declared_in) == (None, None, None)


async def test_code_owns_what_it_declares_and_operators_enabled(kit: Kit) -> None:
    schedules = app.repository(ScheduledJob)
    nine = await schedules.get("nine")
    nine.cron_expression, nine.catch_up = "@hourly", CatchUp.ALL
    with pytest.raises(InvalidDocumentError, match="is declared in") as caught:
        await schedules.save(nine)
    assert [error.field for error in caught.value.errors] == ["cron_expression", "catch_up"]
    with pytest.raises(DocumentStateError, match=r"declared in tests\.support\.scheduled_jobs"):
        await schedules.delete("nine")
    await app.schedules.pause("nine")
    await app.ports.upkeep.declare()
    assert not (await schedules.get("nine")).enabled


async def declared_by(cron_jobs: list[CronJob], *modules: str) -> None:
    """As a process does whose code declares these, each minute."""
    before, scheduled_jobs.cron_jobs = scheduled_jobs.cron_jobs, cron_jobs
    try:
        process = FrameworkM(modules or app.modules, settings=app.settings)
        async with process:
            await process.ports.upkeep.declare()
    finally:
        scheduled_jobs.cron_jobs = before


async def test_declared_schedules_follow_the_code(kit: Kit) -> None:
    await declared_by([], "tests.support.kit_jobs")
    assert {it.name for it in await app.schedules.list()} == {"clean_up", "nine"}
    await declared_by([cron(report, hour=10, name="nine", args={"month": "May"})])
    nine = await app.repository(ScheduledJob).get("nine")
    assert (nine.cron_expression, nine.args) == ("0 10 * * *", {"month": "May"})
    await app.schedules.pause("nine")
    await declared_by([])
    assert {it.name for it in await app.schedules.list()} == {"clean_up", "nine"}, "not yet"
    kit.clock.advance(minutes=4)
    await declared_by([])
    assert {it.name for it in await app.schedules.list()} == {"clean_up"}


async def test_old_code_beside_new_takes_nothing_back(kit: Kit) -> None:
    """As in the midst of a deploy, where processes of both start."""
    old, new = scheduled_jobs.cron_jobs, [cron(report, hour=10, name="nine", args={"month": "x"})]
    added = cron(bill, "@daily", args={"day": "2026-01-01"})
    await declared_by([*new, added])
    await app.schedules.pause("bill")
    for _ in range(3):
        kit.clock.advance(minutes=1)
        await declared_by(old)
        await declared_by([*new, added])
    nine, paused = [await app.repository(ScheduledJob).get(it) for it in ("nine", "bill")]
    assert (nine.cron_expression, paused.enabled) == ("0 10 * * *", False)
    assert (nine.version, paused.version) == (2, 2), "nobody has touched them"


async def test_code_that_was_rolled_back_has_its_way_once_the_newer_is_gone(kit: Kit) -> None:
    old, new = scheduled_jobs.cron_jobs, [cron(report, hour=10, name="nine", args={"month": "x"})]
    await declared_by(new)
    kit.clock.advance(minutes=4)
    await declared_by(old)
    assert (await app.schedules.get("nine")).cron_expression == "0 9 * * *"
    await declared_by(new)
    assert (await app.schedules.get("nine")).cron_expression == "0 9 * * *", "that is the old one"


async def test_a_schedule_whose_module_is_gone_becomes_its_own(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    kit.clock.advance(minutes=4)
    await declared_by([], "tests.support.kit_jobs")
    nine = await app.schedules.get("nine")
    assert (nine.declared_in, nine.enabled) == (None, True)
    assert "nobody has tests.support.scheduled_jobs any more" in caplog.text
    await app.repository(ScheduledJob).delete("nine")


async def test_code_takes_over_a_record_of_the_same_name(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    await app.schedule(bill, "@daily", name="by hand", day="2026-01-01")
    await declared_by([cron(bill, "@hourly", name="by hand", args={"day": "2026-02-02"})])
    assert "'by hand' is now what tests.support.scheduled_jobs declares" in caplog.text
    assert (await app.schedules.get("by hand")).cron_expression == "@hourly"


async def test_what_had_stopped_starts_again_once_it_can_be_told_when_it_is_due(kit: Kit) -> None:
    await app.schedule(report, "@hourly", month="May", timezone="Europe/Berlin")
    await app.schedule(bill, "@hourly", day="2026-01-01", end_date=MIDNIGHT)
    await in_the_database(timezone="Europe/Atlantis")
    kit.clock.advance(hours=1)
    await kit.drain()
    await app.ports.upkeep.declare()
    stopped = await app.schedules.get("report")
    assert (stopped.last_status, stopped.next_runs) == (ScheduleStatus.REFUSED, ())
    await in_the_database(timezone="Europe/Berlin")
    await app.ports.upkeep.declare()
    mended = await app.schedules.get("report")
    assert mended.next_runs[0] == MIDNIGHT + timedelta(hours=2)
    assert (await app.schedules.get("bill")).next_runs == (), "it has come to its end"


async def in_the_database(**columns: Any) -> None:
    """Past all checks."""
    async with app.transaction() as tx:
        row = update(scheduled_job).where(scheduled_job.c.name == "report")
        await tx.execute(row.values(columns))


async def test_what_was_due_before_an_edit_of_its_times_is_not_lost(kit: Kit) -> None:
    await app.schedule(report, "0 * * * *", month="May", catch_up="all")
    kit.clock.advance(hours=1, minutes=10)
    await app.schedule(report, "*/5 * * * *")
    await kit.drain()
    assert [line for line in ran if "report" in line] == ["report May 1 due 01:00:00"]
    kit.clock.advance(minutes=5)
    await kit.drain()
    assert ran[-1] == "report May 1 due 01:15:00", "not those that it did not have then"


@pytest.mark.parametrize("change", [{"enabled": False}, {"end_date": MIDNIGHT}])
async def test_what_was_due_does_not_fire_after_an_edit_that_ends_it(
    kit: Kit, change: dict[str, Any]
) -> None:
    await app.schedule(report, "0 * * * *", month="May")
    kit.clock.advance(hours=1, minutes=10)
    await app.schedule(report, "*/5 * * * *", **change)
    assert await kit.drain() == []


async def test_a_broken_record_keeps_no_other_from_being_declared(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    broken = update(scheduled_job).where(scheduled_job.c.name == "clean_up").values(args="[")
    async with app.transaction() as unit:
        await unit.execute(broken)
        await unit.execute(delete(scheduled_job).where(scheduled_job.c.name == "nine"))
    await app.ports.upkeep.declare()
    assert {it.name for it in await app.schedules.list()} == {"clean_up", "nine"}
    assert "'clean_up' is not as the code declares it" in caplog.text


async def test_a_job_that_fails_shows(kit: Kit) -> None:
    await app.schedule(bill, "@hourly", args={"day": "2026-05-01"}, catch_up="none")
    await app.jobs.enqueue("bill", day="2026-05-01")
    kit.clock.advance(hours=1)
    done = await kit.drain()
    assert {job.status for job in done} == {JobStatus.SUCCESS}


async def test_what_one_transaction_has_saved_and_changed_again_was_never_due(kit: Kit) -> None:
    async with app.transaction():
        await app.schedule(report, "* * * * *", month="first")
        kit.clock.advance(minutes=2)
        await app.schedule(report, "@hourly", month="last")
    assert await kit.drain() == []


async def test_a_change_of_its_times_makes_up_all_that_it_had_to(kit: Kit) -> None:
    """More than fit into one turn."""
    await app.schedule(report, "* * * * *", month="May", catch_up="all")
    kit.clock.advance(hours=4, seconds=5)
    await app.schedule(report, "@yearly")
    made_up = await app.jobs.list(schedule="report", limit=1000)
    assert {job.due_at for job in made_up} == {
        MIDNIGHT + timedelta(minutes=n) for n in range(1, 241)
    }


async def test_what_somebody_has_just_declared_again_is_not_taken_away(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what is declared and the deletion."""
    kit.clock.advance(minutes=4)
    upkeep = app.ports.upkeep
    monkeypatch.setattr(upkeep, "declared", {})
    standings = app.ports.schedule_store.standings

    async def meanwhile(name: str | None = None) -> Any:
        found = await standings(name)
        await declared_by(scheduled_jobs.cron_jobs)
        return found

    monkeypatch.setattr(upkeep, "_store", SimpleNamespace(standings=meanwhile))
    await upkeep.declare()
    assert (await app.schedules.get("nine")).declared_in == scheduled_jobs.__name__
