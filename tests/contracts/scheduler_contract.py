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

ENDED = ("later", "disabled", "deleted")


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

    async def test_its_job_is_as_the_record_says(self, harness: Harness) -> None:
        log, tells = harness.folder / "log", jobs.tells_its_schedule
        await harness.app.schedule(
            tells, NEVER_SOON, name="a b", queue="other", priority=1, log=log
        )
        async with harness.app.worker(["other"]):
            due_at = await make_due(harness, "a b", hasten=harness.app)
            [firing] = await fired(harness, "a b")
            job = await harness.ended(firing.job_id or "")
            by_hand = await harness.app.schedules.run("a b")
            schedule, asked_at = await by_hand.result(timeout=20)
        assert (job.schedule, job.queue, job.priority) == ("a b", "other", 1)
        assert job.result == ["a b", due_at.isoformat()]
        assert (job.due_at, job.scheduled_at, time_in(job.job_id)) == (due_at, due_at, due_at)
        assert (schedule, asked_at is None) == ("a b", False)
        assert len(await past(harness, "a b")) == 1, "one by hand is beside its due times"

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
    """Changes by another application, each seen by what is fired after it.

    Subclass it with a `harness` fixture.
    """

    async def test_what_fires_after_a_change_is_as_changed(self, harness: Harness) -> None:
        """A new one fires, an edited one fires as edited, and what has ended fires no more."""
        schedule, app = harness.app.schedule, harness.app
        async with harness.application().worker(), harness.application().worker():
            for name in ("edited", "later", "disabled", "deleted", "control"):
                await schedule(jobs.plain, EVERY_SECOND, name=name, text="before")
            await schedule(jobs.plain, NEVER_SOON, name="sooner", text="before")
            for name in ("edited", "later", "disabled", "deleted"):
                await fired(harness, name)
            earlier = {firing.job_id for firing in await past(harness, "edited")}
            await schedule(jobs.plain, EVERY_SECOND, name="edited", text="after")
            await schedule(jobs.plain, EVERY_SECOND, name="sooner")
            await schedule(jobs.plain, NEVER_SOON, name="later")
            await app.schedules.pause("disabled")
            await app.repository(ScheduledJob).delete(await stored(harness, "deleted"))
            known = {name: await past(harness, name) for name in (*ENDED, "edited")}
            await fired(harness, "sooner", 2)
            await fired(harness, "edited", len(known["edited"]) + 2)
            await fires_again(harness, "control", 2)
        for name in ENDED:
            assert due_times(await past(harness, name)) == due_times(known[name]), name
            assert len(await jobs_of(harness, name)) == len(known[name])
        since = {firing.job_id for firing in known["edited"]}  # by then it was edited
        for job in await jobs_of(harness, "edited"):
            if job.job_id in earlier or job.job_id not in since:
                assert job.args == {"text": "before" if job.job_id in earlier else "after"}

    async def test_changes_share_the_fate_of_their_transaction(self, harness: Harness) -> None:
        """What is rolled back changes nothing; of several edits in one the last counts."""
        schedule, schedules = harness.app.schedule, harness.app.schedules
        async with harness.application().worker():
            await schedule(jobs.plain, EVERY_SECOND, name="kept", text="kept")
            with pytest.raises(Boom):
                async with harness.app.transaction():
                    await schedule(jobs.add, EVERY_SECOND, name="never", a=1)
                    await schedule(jobs.plain, NEVER_SOON, name="kept", text="new")
                    await schedules.pause("kept")
                    raise Boom
            with pytest.raises(Boom):
                async with harness.app.transaction():
                    record = await stored(harness, "kept")
                    await harness.app.repository(ScheduledJob).delete(record)
                    raise Boom
            async with harness.app.transaction():
                for name in ("a", "b"):
                    await schedule(jobs.plain, EVERY_SECOND, name=name, text="first")
                    await schedule(jobs.plain, NEVER_SOON, name=name, text="second")
                    await schedule(jobs.plain, EVERY_SECOND, name=name, text="last")
                await schedules.pause("b")
            for name in ("a", "kept"):
                require_every_second(due_times(await fired(harness, name, 2)))
        for name, text in (("a", "last"), ("kept", "kept")):
            assert all(job.args == {"text": text} for job in await jobs_of(harness, name))
        for name in ("b", "never"):
            assert await past(harness, name) == []

    async def test_of_many_edits_the_last_counts_and_a_pause_is_not_made_up(
        self, harness: Harness
    ) -> None:
        schedule, started = harness.app.schedule, in_the_past(hours=5)
        await schedule(jobs.add, EVERY_SECOND, name="back", start_date=started, catch_up="all", a=1)
        await harness.app.schedules.pause("back")
        async with harness.application().worker():
            await harness.app.schedules.resume("back")
            resumed = (await stored(harness, "back")).modified
            for n in range(10):
                cron = EVERY_SECOND if n % 2 else NEVER_SOON
                await schedule(jobs.add, cron, name="often", a=n)
            known = {firing.job_id for firing in await past(harness, "often")}
            await fires_again(harness, "often")
            firings = await fired(harness, "back", 2)
        assert resumed is not None
        assert min(due_times(firings)) >= resumed.replace(microsecond=0)
        later = [job for job in await jobs_of(harness, "often") if job.job_id not in known]
        assert [job.args for job in later] == [{"a": 9}] * len(later)

    async def test_a_change_of_its_times_fires_what_was_due_before_it(
        self, harness: Harness
    ) -> None:
        """As the schedule was then; nobody works here, so that nobody else has fired it."""
        app, due_at = harness.app, in_the_past(minutes=5)
        for name in ("changed", "undone", "paused", "as it was"):
            await app.schedule(jobs.add, NEVER_SOON, name=name, a=1)
            await make_due(harness, name, due_at)
        await app.schedule(jobs.add, "@yearly", name="changed", a=2)
        await app.schedule(jobs.add, "@yearly", name="paused", a=2, enabled=False)
        await app.schedule(jobs.add, NEVER_SOON, name="as it was", a=2)
        with contextlib.suppress(Boom):
            async with app.transaction():
                await app.schedule(jobs.add, "@yearly", name="undone", a=2)
                assert due_times(await past(harness, "undone")) == []
                raise Boom
        [done] = await jobs_of(harness, "changed")
        assert (done.due_at, done.args, done.status) == (due_at, {"a": 1}, JobStatus.QUEUED)
        assert done.user_id is None
        assert (await stored(harness, "changed")).last_run == due_at
        for name in ("undone", "paused", "as it was"):
            assert await jobs_of(harness, name) == []
