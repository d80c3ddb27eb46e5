"""What every backend promises about records that make no sense, and those that code declares."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from framework_m import FrameworkM, JobStatus, cron
from framework_m.adapters.db.schedule_schema import schedule_declaration
from framework_m.core.doctypes.scheduled_job import ScheduleStatus
from framework_m.core.errors import NotFoundError
from tests.support import jobs
from tests.support.harness import JOBS, Harness, until
from tests.support.schedules import (
    NEVER_SOON,
    due_times,
    fired,
    in_the_past,
    job_of,
    jobs_of,
    make_due,
    next_run,
    spoil,
    stored,
)

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "cron": ({"cron_expression": "61 * * * *"}, "61"),
    "words": ({"cron_expression": "now and then"}, "field"),
    "zone": ({"timezone": "Mars/Olympus"}, "Mars/Olympus"),
    "no json": ({"args": "{"}, "line 1"),
    "no object": ({"args": "[1]"}, "object"),
    "nested": ({"args": "[" * 100_000}, "recursion"),
    "unfit": ({"args": '{"c": 1}'}, "c"),
    "overlap": ({"overlap": "sometimes"}, "sometimes"),
    "catch-up": ({"catch_up": "some"}, "some"),
    "window": ({"catch_up_window": 1e300}, "OverflowError"),
    "jitter": ({"jitter": 1e300}, "OverflowError"),
    "queue": ({"queue": "no queue!"}, "queue's name"),
    "priority": ({"priority": 99}, "most urgent"),
    "own check": ({"function": "takes_a_key", "args": '{"key": "unknown"}'}, "no such key"),
}
"""By what is wrong: what the database holds, and a word of what is said of it."""
_OF_ITS_TIMES = ("cron", "words", "zone")


class BrokenSchedulesContract:
    """Subclass it with a `harness` fixture."""

    async def test_what_is_wrong_with_one_is_told_and_hides_no_other(
        self, harness: Harness
    ) -> None:
        names = [*BROKEN, *(f"good {n}" for n in range(3))]
        for name in names:
            await harness.app.schedule(jobs.add, NEVER_SOON, name=name, a=1)
        for name, (columns, _) in BROKEN.items():
            await spoil(harness, name, **columns)
        due_at = in_the_past(minutes=30)
        for name in names:
            await make_due(harness, name, due_at)
        async with harness.app.worker(), harness.application().worker():
            told = {name: (await fired(harness, name))[0] for name in BROKEN}
            for name in names[len(BROKEN) :]:
                firing = (await fired(harness, name))[0]
                assert (await harness.ended(firing.job_id or "")).status is JobStatus.SUCCESS
            await harness.app.schedule(jobs.add, NEVER_SOON, name="unfit", args={"a": 1})
            later = due_at + timedelta(minutes=1)
            await make_due(harness, "unfit", later, hasten=harness.app)
            _, mended = await fired(harness, "unfit", 2)
            assert (await harness.ended(mended.job_id or "")).result == 2
        for name, (_, word) in BROKEN.items():
            firing = told[name]
            assert (firing.status, firing.due_at) == (ScheduleStatus.REFUSED, due_at), name
            assert word in str(firing.detail), name
            stopped = await next_run(harness, name) is None
            assert stopped == (name in _OF_ITS_TIMES), f"{name}: when is known of the others"
            assert len(await jobs_of(harness, name)) == (name == "unfit")
        listed = {info.name for info in await harness.app.schedules.list()}
        assert listed.issuperset(names)

    async def test_one_of_a_function_that_is_not_known_yet_waits_for_it(
        self, harness: Harness
    ) -> None:
        """As in the midst of a deploy: the record is there before the workers are new."""
        newer = harness.application((*JOBS, "tests.support.other_jobs"))
        async with newer:
            await newer.schedule("something_else", NEVER_SOON, name="newer")
        async with harness.application().worker():
            await make_due(harness, "newer")
            [firing] = await fired(harness, "newer")
            await harness.reached(firing.job_id or "", JobStatus.SCHEDULED)
        async with newer.worker():
            assert (await harness.ended(firing.job_id or "")).status is JobStatus.SUCCESS
        assert (await job_of(harness, firing)).schedule == "newer"


class DeclaredSchedulesContract:
    """Subclass it with a `harness` fixture, and `code`: a module that a test fills."""

    async def test_they_follow_the_code_and_enabled_its_operators(
        self, harness: Harness, code: Any
    ) -> None:
        code.cron_jobs = [_declared("mine", a=1), _declared("paused", a=1), _declared("gone", a=1)]
        await harness.app.schedule(jobs.add, NEVER_SOON, name="by hand", a=1)
        async with _application(harness, code).worker():
            await _is_there(harness, "paused", "gone")
        await harness.app.schedules.pause("paused")
        code.cron_jobs = [_declared("mine", a=2), _declared("paused", a=2), _declared("new", a=2)]
        async with _application(harness, code).worker():
            await _is_there(harness, "new")
            await make_due(harness, "mine")
            firing = (await fired(harness, "mine"))[-1]
            assert (await harness.ended(firing.job_id or "")).result == 3
        await _nobody_has_declared(harness, "gone")
        async with _application(harness, code) as later:
            await later.ports.upkeep.declare()
            assert await _is_gone(harness, "gone")
        paused = await stored(harness, "paused")
        assert (paused.enabled, paused.args, paused.next_run) == (False, {"a": 2}, None)
        assert (await stored(harness, "by hand")).declared_in is None

    async def test_many_make_one_of_each_and_those_of_others_are_left_alone(
        self, harness: Harness, code: Any
    ) -> None:
        names = [f"theirs {n}" for n in range(5)]
        code.cron_jobs = [_declared(name, a=1) for name in names]
        one, another = _application(harness, code), _application(harness, code)
        async with one.worker(), another.worker():  # at the same time
            await _is_there(harness, *names)
        async with harness.application().worker():  # which declares nothing
            await make_due(harness, "theirs 0")
            assert due_times(await fired(harness, "theirs 0"))
        assert (await stored(harness, "theirs 0")).declared_in == code.__name__


def _declared(name: str, **args: Any) -> Any:
    return cron("add", NEVER_SOON, name=name, args=args)


def _application(harness: Harness, code: Any) -> FrameworkM:
    return harness.application((*JOBS, code.__name__))


async def _nobody_has_declared(harness: Harness, name: str) -> None:
    """For some minutes."""
    row = update(schedule_declaration).where(schedule_declaration.c.name == name)
    async with harness.app.transaction() as tx:
        await tx.execute(row.values(declared_at=datetime.now(UTC) - timedelta(minutes=4)))


async def _is_there(harness: Harness, *names: str) -> None:
    async def look() -> bool:
        known = {it.name for it in await harness.app.schedules.list()}
        return known.issuperset(names)

    await until(look)


async def _is_gone(harness: Harness, name: str) -> bool:
    try:
        await harness.app.schedules.get(name)
    except NotFoundError:
        return True
    return False
