"""Workers of an old deploy, or another application: they leave what they do not know to others."""

import pytest

from tests.support import jobs
from tests.support.harness import Harness
from tests.support.schedules import NEVER_SOON, fired, in_the_past, job_of, make_due, past

OTHERS = ("tests.support.jobs", "tests.support.other_jobs")
LONG = 3600.0


@pytest.fixture
def harness(every_store: Harness) -> Harness:
    return every_store


async def test_who_knows_the_function_fires_it_as_it_says(harness: Harness) -> None:
    ignorant = harness.application(("tests.support.other_jobs",), schedule_grace=LONG)
    async with harness.application(OTHERS) as both:
        await both.schedule(jobs.on_another_queue, NEVER_SOON, name="left")
        await both.schedule("something_else", NEVER_SOON, name="known")
        async with ignorant.worker():
            for name in ("left", "known"):
                await make_due(harness, name, in_the_past(), hasten=harness.app)
            await fired(harness, "known")
            assert await past(harness, "left") == []
            async with harness.application().worker(["other"]):
                [firing] = await fired(harness, "left")
                job = await job_of(harness, firing)
                assert (await harness.ended(job.job_id)).result == "done"
    assert job.queue == "other"


async def test_when_nobody_does_in_time_it_waits_as_a_job(harness: Harness) -> None:
    await harness.app.schedule(jobs.on_another_queue, NEVER_SOON, name="unknown")
    async with harness.application(("tests.support.other_jobs",)).worker():
        await make_due(harness, "unknown", hasten=harness.app)
        [firing] = await fired(harness, "unknown")
    assert (await job_of(harness, firing)).job_name == "on_another_queue"
