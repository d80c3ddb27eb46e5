"""Twenty thousand jobs that are due within one second: all of them run, each once."""

from datetime import UTC, datetime, timedelta

import pytest

from framework_m import JobStatus
from tests.chaos.crew import ended
from tests.support import jobs
from tests.support.harness import Harness

pytestmark = pytest.mark.chaos

MANY = 20_000


async def test_everything_that_is_due_at_once_runs(every_backend: Harness) -> None:
    harness = every_backend
    moment = datetime.now(UTC) + timedelta(seconds=8)
    calls = [
        jobs.add.options(at=moment + timedelta(microseconds=n * 50)).call(n) for n in range(MANY)
    ]
    async with harness.app.worker():
        await jobs.add.enqueue_many(calls)
        await ended(harness, MANY)
    records = await harness.app.jobs.list(limit=MANY + 1)
    assert {job.status for job in records} == {JobStatus.SUCCESS}
    assert sorted(job.result for job in records) == list(range(1, MANY + 1))
    assert {job.claim_no for job in records} == {1}, "none ran twice"
    assert all(job.started_at and job.started_at >= job.scheduled_at for job in records)
