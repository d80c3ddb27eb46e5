"""What is counted of queues, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework_m import JobStatus, Queue, QueueInfo
from framework_m.core.errors import InvalidDocumentError
from framework_m.core.interfaces.job_store import ClaimTerms
from tests.support import jobs
from tests.support.harness import Harness

PAST = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def harness(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


async def made(harness: Harness, status: JobStatus, **columns: Any) -> None:
    job_id = await jobs.on_another_queue.enqueue()
    await harness.change(job_id, status=status.value, **columns)


async def test_a_queue_is_told_as_it_stands(harness: Harness) -> None:
    soon, just_now = PAST + timedelta(hours=3), datetime.now(UTC)
    await made(harness, JobStatus.QUEUED, scheduled_at=PAST)
    await made(harness, JobStatus.RETRYING)
    await made(harness, JobStatus.RETRYING, scheduled_at=soon)
    await made(harness, JobStatus.SCHEDULED, scheduled_at=soon)
    await made(harness, JobStatus.SCHEDULED, scheduled_at=PAST, blocked_on="function:gone")
    await made(harness, JobStatus.RUNNING, lease_until=soon)
    await made(harness, JobStatus.SUCCESS, completed_at=just_now)
    await made(harness, JobStatus.FAILED, completed_at=just_now)
    await made(harness, JobStatus.SUCCESS, completed_at=PAST)
    await harness.app.repository(Queue).save(Queue(name="other", concurrency=3))

    found = await harness.app.queues.get("other")
    assert found is not None
    assert found.model_dump(exclude={"oldest_waiting_seconds"}) == {
        "name": "other",
        "paused": False,
        "concurrency": 3,
        "waiting": 2,
        "scheduled": 2,
        "blocked": 1,
        "running": 1,
        "finished_per_minute": 2,
        "failed_per_minute": 1,
    }
    assert found.oldest_waiting_seconds is not None
    assert found.oldest_waiting_seconds > 3500
    listed = {queue.name: queue for queue in await harness.app.queues.list()}
    assert listed["other"].waiting == 2
    assert listed["default"] == QueueInfo(name="default")


async def test_queues_are_known_by_records_functions_and_jobs(harness: Harness) -> None:
    await harness.app.queues.pause("by-record")
    await jobs.add.options(queue="by-job").enqueue(1)
    names = [queue.name for queue in await harness.app.queues.list()]
    assert names == ["by-job", "by-record", "default", "other"]
    assert await harness.app.queues.get("unheard-of") is None


async def test_pausing_keeps_what_else_a_record_says(harness: Harness) -> None:
    queues = harness.app.repository(Queue)
    await queues.save(Queue(name="other", concurrency=3, description="slow"))
    for _ in range(2):  # the second time nothing changes
        await harness.app.queues.pause("other")
    queue = await queues.get("other")
    assert (queue.paused, queue.concurrency, queue.description) == (True, 3, "slow")
    assert queue.version == 2
    assert harness.app.ports.queue_states.limit_of("other") == 3
    assert harness.app.ports.queue_states.limit_of("default") is None


async def test_what_is_due_in_a_paused_queue_keeps_nobody_awake(harness: Harness) -> None:
    store = harness.app.ports.job_store
    terms = ClaimTerms("me", ("default", "other"), timedelta(seconds=10))
    due = await jobs.on_another_queue.enqueue()
    assert await store.next_due(["other"]) is not None
    await harness.app.queues.pause("other")
    assert await store.next_due(["other"]) is None
    assert await store.claim_due(terms, 5) == []
    assert await store.claim(terms, [due]) == []
    assert (await store.standings([due]))[due].is_expected
    later = await jobs.add.options(delay=60).enqueue(1)
    wait = await store.next_due(["other", "default"])
    assert wait is not None
    assert wait > timedelta(seconds=1), "the other queue's is the next"
    await harness.app.queues.resume("other")
    assert [claim.job_id for claim in await store.claim(terms, [due, later])] == [due]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 65, "ü"])
async def test_what_cannot_be_a_queue_is_refused(harness: Harness, name: str) -> None:
    with pytest.raises(InvalidDocumentError, match="name"):
        await harness.app.queues.pause(name)
    with pytest.raises(InvalidDocumentError, match="name"):
        await harness.app.queues.get(name)
    assert await harness.app.repository(Queue).count() == 0
