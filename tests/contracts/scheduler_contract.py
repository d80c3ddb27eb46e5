"""What every backend promises about schedules: each due time once, and changes at once."""

import contextlib
from datetime import timedelta

import pytest

from framework_m import JobStatus
from framework_m.core.doctypes.scheduled_job import ScheduledJob, ScheduleStatus
from tests.support import jobs
from tests.support.harness import Harness
from tests.support.schedules import (
    EVERY_SECOND,
    NEVER_SOON,
    due_times,
    fired,
    fires_again,
    in_the_past,
    job_of,
    jobs_of,
    make_due,
    past,
    require_every_second,
    require_one_job_each,
    stands,
    statuses,
    stored,
    time_in,
    words,
)


class Boom(Exception):
    """Raised to leave a transaction."""


class SchedulerContract:
    """Subclass it with a `harness` fixture."""

    async def test_each_due_time_is_one_job_however_many_look(self, harness: Harness) -> None:
        log = harness.folder / "log"
        async with contextlib.AsyncExitStack() as working:
            for app in (harness.app, harness.application(), harness.application()):
                await working.enter_async_context(app.worker())
            await harness.app.schedule(jobs.note, EVERY_SECOND, name="ticks", log=log, word="tick")
            await fired(harness, "ticks", 4)
            await harness.app.schedules.pause("ticks")
            firings = await past(harness, "ticks")
            for firing in firings:
                assert (await harness.ended(firing.job_id or "")).status is JobStatus.SUCCESS
        require_every_second(due_times(firings))
        require_one_job_each(firings, await jobs_of(harness, "ticks"))
        assert await words(log) == ["tick"] * len(firings)

    async def test_its_job_knows_schedule_and_due_time(self, harness: Harness) -> None:
        log = harness.folder / "log"
        await harness.app.schedule(jobs.tells_its_schedule, NEVER_SOON, name="a b", log=log)
        async with harness.app.worker():
            due_at = await make_due(harness, "a b", hasten=harness.app)
            [firing] = await fired(harness, "a b")
            job = await harness.ended(firing.job_id or "")
        assert (await harness.record(job.job_id)).result == ["a b", due_at.isoformat()]
        assert (time_in(job.job_id), job.scheduled_at, job.schedule) == (due_at, due_at, "a b")

    async def test_a_run_by_hand_is_beside_its_due_times(self, harness: Harness) -> None:
        log = harness.folder / "log"
        await harness.app.schedule(jobs.tells_its_schedule, NEVER_SOON, name="by hand", log=log)
        await harness.app.schedules.pause("by hand")
        async with harness.app.worker():
            handle = await harness.app.schedules.run("by hand")
            schedule, asked_at = await handle.result(timeout=20)
        assert schedule == "by hand"
        assert asked_at is not None
        assert await past(harness, "by hand") == []

    async def test_queue_and_priority_are_those_of_the_record(self, harness: Harness) -> None:
        log = harness.folder / "log"
        await harness.app.schedule(
            jobs.note, NEVER_SOON, name="q", queue="other", priority=1, log=log, word="x"
        )
        async with harness.app.worker(["other"]):
            await make_due(harness, "q", hasten=harness.app)
            [firing] = await fired(harness, "q")
            job = await harness.ended(firing.job_id or "")
        assert (job.queue, job.priority, job.status) == ("other", 1, JobStatus.SUCCESS)

    async def test_it_fires_into_a_paused_queue(self, harness: Harness) -> None:
        await harness.app.queues.pause("other")
        await harness.app.schedule(jobs.on_another_queue, NEVER_SOON, name="held")
        async with harness.app.worker(["default", "other"]):
            await make_due(harness, "held", hasten=harness.app)
            [firing] = await fired(harness, "held")
            assert firing.status is ScheduleStatus.QUEUED
            assert (await job_of(harness, firing)).status is JobStatus.QUEUED
            await harness.app.queues.resume("other")
            assert (await harness.ended(firing.job_id or "")).result == "done"

    async def test_a_due_time_that_nobody_was_told_of_is_found(self, harness: Harness) -> None:
        """As when a process dies between its commit and what it says of it."""
        await harness.app.schedule(jobs.add, NEVER_SOON, name="untold", a=1)
        async with harness.application().worker():
            due_at = await make_due(harness, "untold")
            assert due_times(await fired(harness, "untold")) == [due_at]

    async def test_last_status_follows_the_job_to_its_end(self, harness: Harness) -> None:
        gate, log = harness.folder / "gate", harness.folder / "log"
        await harness.app.schedule(jobs.wait_for, NEVER_SOON, name="followed", gate=gate, log=log)
        await harness.app.schedule(jobs.boom, NEVER_SOON, name="fails")
        async with harness.app.worker():
            due_at = await make_due(harness, "followed", hasten=harness.app)
            running = await stands(harness, "followed", ScheduleStatus.RUNNING)
            await make_due(harness, "fails", hasten=harness.app)
            gate.touch()
            record = await stands(harness, "followed", ScheduleStatus.SUCCESS)
            await stands(harness, "fails", ScheduleStatus.FAILED)
        assert (running.last_run, record.last_run) == (due_at, due_at)
        [firing] = await harness.app.schedules.history("followed")
        assert (firing.status, firing.job_id) == (ScheduleStatus.SUCCESS, record.last_job)
        assert firing.lag_seconds is not None
        assert firing.lag_seconds >= 0

    async def test_a_burst_fires_what_is_due_and_ends(self, harness: Harness) -> None:
        log = harness.folder / "log"
        for name in ("due", "not due"):
            await harness.app.schedule(jobs.note, NEVER_SOON, name=name, log=log, word=name)
        await make_due(harness, "due")
        assert await harness.app.run_until_empty() == 1
        assert log.read_text() == "due\n"
        assert statuses(await past(harness, "due")) == [ScheduleStatus.SUCCESS]
        assert await harness.app.run_until_empty() == 0

    async def test_history_is_read_in_pages_and_forgotten(self, harness: Harness) -> None:
        started = in_the_past(hours=5)
        await harness.app.schedule(
            jobs.add, "@every 1h", name="pages", start_date=started, catch_up="all", a=1
        )
        async with harness.app.worker():
            await make_due(harness, "pages", started, hasten=harness.app)
            firings = await fired(harness, "pages", 6)
        newest = list(reversed(due_times(firings)))
        first = await harness.app.schedules.history("pages", limit=4)
        second = await harness.app.schedules.history("pages", limit=4, before=first[-1].due_at)
        assert [it.due_at for it in (*first, *second)] == newest
        store = harness.app.ports.schedule_store
        assert await store.forget(timedelta(hours=1), 100) == 0, "fired just now"
        assert [await store.forget(timedelta(), 4) for _ in range(3)] == [4, 2, 0]
        assert await past(harness, "pages") == []


class ScheduleChangesContract:
    """Changes by another application, each seen by what is fired after it."""

    async def test_a_new_one_fires(self, harness: Harness) -> None:
        async with harness.application().worker():
            await harness.app.schedule(jobs.add, EVERY_SECOND, name="new", a=1)
            await fired(harness, "new")

    async def test_what_is_fired_after_an_edit_is_as_edited(self, harness: Harness) -> None:
        async with harness.application().worker(), harness.application().worker():
            await harness.app.schedule(jobs.plain, EVERY_SECOND, name="edited", text="before")
            await fired(harness, "edited", 2)
            await harness.app.schedule(jobs.plain, EVERY_SECOND, name="edited", text="after")
            known = {job.job_id for job in await jobs_of(harness, "edited")}
            await fired(harness, "edited", len(known) + 2)
        for job in await jobs_of(harness, "edited"):
            assert job.args == {"text": "before" if job.job_id in known else "after"}

    async def test_other_times_count_at_once(self, harness: Harness) -> None:
        async with harness.application().worker():
            for name, cron in (("sooner", NEVER_SOON), ("later", EVERY_SECOND)):
                await harness.app.schedule(jobs.add, cron, name=name, a=1)
            await fired(harness, "later")
            for name, cron in (("sooner", EVERY_SECOND), ("later", NEVER_SOON)):
                await harness.app.schedule(jobs.add, cron, name=name, a=1)
            known = await past(harness, "later")
            await fired(harness, "sooner", 3)
            assert due_times(await past(harness, "later")) == due_times(known)

    @pytest.mark.parametrize("way", ["disabled", "deleted"])
    async def test_one_that_is_disabled_or_deleted_fires_no_more(
        self, harness: Harness, way: str
    ) -> None:
        async with harness.application().worker(), harness.application().worker():
            for name in ("ends", "goes on"):
                await harness.app.schedule(jobs.add, EVERY_SECOND, name=name, a=1)
            await fired(harness, "ends", 2)
            if way == "disabled":
                await harness.app.schedules.pause("ends")
            else:
                await harness.app.repository(ScheduledJob).delete(await stored(harness, "ends"))
            known = due_times(await past(harness, "ends"))
            await fires_again(harness, "goes on", 3)
        assert due_times(await past(harness, "ends")) == known
        assert len(await jobs_of(harness, "ends")) == len(known)

    async def test_one_that_is_enabled_goes_on_and_makes_nothing_up(self, harness: Harness) -> None:
        started = in_the_past(hours=5)
        await harness.app.schedule(
            jobs.add, EVERY_SECOND, name="back", start_date=started, catch_up="all", a=1
        )
        await harness.app.schedules.pause("back")
        async with harness.application().worker():
            await harness.app.schedules.resume("back")
            resumed = (await stored(harness, "back")).modified
            firings = await fired(harness, "back", 2)
        assert resumed is not None
        assert min(due_times(firings)) >= resumed.replace(microsecond=0)
        require_every_second(due_times(firings))

    async def test_what_is_rolled_back_changes_nothing(self, harness: Harness) -> None:
        async with harness.application().worker():
            await harness.app.schedule(jobs.plain, EVERY_SECOND, name="kept", text="kept")
            await fired(harness, "kept")
            with pytest.raises(Boom):
                async with harness.app.transaction():
                    await harness.app.schedule(jobs.add, EVERY_SECOND, name="never", a=1)
                    await harness.app.schedule(jobs.plain, NEVER_SOON, name="kept", text="new")
                    await harness.app.schedules.pause("kept")
                    raise Boom
            with pytest.raises(Boom):
                async with harness.app.transaction():
                    await harness.app.repository(ScheduledJob).delete(await stored(harness, "kept"))
                    raise Boom
            await fires_again(harness, "kept", 3)
        require_every_second(due_times(await past(harness, "kept")))
        assert all(job.args == {"text": "kept"} for job in await jobs_of(harness, "kept"))
        assert await past(harness, "never") == []

    async def test_of_edits_in_one_transaction_the_last_counts(self, harness: Harness) -> None:
        async with harness.application().worker():
            async with harness.app.transaction():
                for name in ("a", "b"):
                    await harness.app.schedule(jobs.plain, EVERY_SECOND, name=name, text="first")
                    await harness.app.schedule(jobs.plain, NEVER_SOON, name=name, text="second")
                await harness.app.schedule(jobs.plain, EVERY_SECOND, name="a", text="last")
                await harness.app.schedule(jobs.plain, EVERY_SECOND, name="b", text="last")
                await harness.app.schedules.pause("b")
            await fired(harness, "a", 3)
        require_every_second(due_times(await past(harness, "a")))
        assert all(job.args == {"text": "last"} for job in await jobs_of(harness, "a"))
        assert await past(harness, "b") == []

    async def test_many_edits_leave_the_last(self, harness: Harness) -> None:
        async with harness.application().worker():
            for n in range(30):
                cron = NEVER_SOON if n % 2 else EVERY_SECOND
                await harness.app.schedule(jobs.add, cron, name="often", a=n)
            await harness.app.schedule(jobs.add, EVERY_SECOND, name="often", a=99)
            known = {job.job_id for job in await jobs_of(harness, "often")}
            await fires_again(harness, "often", 2)
        later = [job for job in await jobs_of(harness, "often") if job.job_id not in known]
        assert [job.args for job in later] == [{"a": 99}] * len(later)
