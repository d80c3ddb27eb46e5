"""The job that removes old jobs, on every backend."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from framework_m import FrameworkM, JobStatus
from framework_m.core.errors import ArgumentError, ConfigurationError
from framework_m.core.interfaces.event_bus import ReceivedEvent
from tests.support import jobs
from tests.support.callers import ADMIN, CLERK, calling
from tests.support.harness import Harness

PRUNE = "framework_m.prune_jobs"
NOTHING = {"Success": 0, "Failed": 0, "Cancelled": 0, "requests": 0, "due_times": 0}


async def cancelled(harness: Harness, days: float) -> str:
    """A job that was cancelled so long ago."""
    handle = await jobs.add.enqueue(1)
    await handle.cancel()
    ago = datetime.now(UTC) - timedelta(days=days)
    await harness.change(handle, enqueued_at=ago, completed_at=ago)
    return handle.job_id


async def test_old_jobs_go_as_the_settings_say(every_backend: Harness) -> None:
    harness = every_backend
    old, new = await cancelled(harness, 8), await cancelled(harness, 6)
    async with harness.app.worker():
        prune = await harness.app.enqueue(PRUNE)
        assert await prune.result(timeout=20) == {**NOTHING, "Cancelled": 1}
    assert await harness.app.jobs.get(old) is None
    assert await harness.app.jobs.get(new) is not None
    record = await prune.record()
    assert (record.queue, record.priority) == ("default", 4)
    assert (record.progress, record.progress_message) == (100, "removed 1 Cancelled")


async def test_a_run_may_have_ages_of_its_own(sqlite: Harness) -> None:
    await cancelled(sqlite, 1)
    async with sqlite.app.worker():
        kept = await sqlite.app.enqueue(PRUNE, cancelled_days="forever", success_days=0.001)
        assert await kept.result(timeout=20) == NOTHING
        gone = await sqlite.app.enqueue(PRUNE, cancelled_days=0.5)
        assert await gone.result(timeout=20) == {**NOTHING, "Cancelled": 1}


@pytest.mark.parametrize("days", [0, -1, "none", "soon"])
async def test_ages_that_make_no_sense_are_refused_there_and_then(
    sqlite: Harness, days: object
) -> None:
    with pytest.raises(ArgumentError, match=r"failed_days.*days above 0.*or 'forever'"):
        await sqlite.app.enqueue(PRUNE, failed_days=days)


async def test_there_is_one_at_a_time(sqlite: Harness) -> None:
    first = await sqlite.app.enqueue(PRUNE)
    second = await sqlite.app.enqueue(PRUNE, failed_days=90)
    assert (second, second.existed) == (first, True)


class Stuck:
    """An application whose pruning has begun, and does not come to its end by itself."""

    def __init__(self, app: FrameworkM, patch: pytest.MonkeyPatch) -> None:
        self.began = asyncio.Event()
        patch.setattr(app.retention._jobs, "remove_old", self._remove_old)

    async def _remove_old(self, *_: object, **__: object) -> int:
        self.began.set()
        await asyncio.Event().wait()  # until it is interrupted
        raise AssertionError("it was not")


async def test_it_can_be_cancelled(sqlite: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    app = sqlite.app
    old = await cancelled(sqlite, 8)
    stuck = Stuck(app, monkeypatch)
    async with app.worker():
        prune = await app.enqueue(PRUNE)
        async with asyncio.timeout(20):
            await stuck.began.wait()
        await prune.cancel()
        assert (await sqlite.ended(prune)).status is JobStatus.CANCELLED
    assert await app.jobs.get(old) is not None


async def test_a_worker_that_stops_gives_it_to_the_next_one(every_backend: Harness) -> None:
    harness = every_backend
    old = await cancelled(harness, 8)
    async with harness.application(stop_grace=3600) as app:
        with pytest.MonkeyPatch.context() as patch:
            stuck = Stuck(app, patch)
            async with app.worker():
                prune = await app.enqueue(PRUNE)
                async with asyncio.timeout(20):
                    await stuck.began.wait()
        job = await harness.record(prune)
        assert (job.status, job.attempt) == (JobStatus.QUEUED, 0)
        async with app.worker():
            assert (await prune.result(timeout=20))["Cancelled"] == 1
    assert await harness.app.jobs.get(old) is None


async def test_no_event_tells_that_it_has_ended(sqlite: Harness) -> None:
    app = sqlite.app
    heard: list[str] = []
    ended = asyncio.Event()

    async def hear(event: ReceivedEvent) -> None:
        heard.append(json.loads(event.message.data)["job_name"])
        ended.set()

    async with app.worker():
        subscription = await app.events.subscribe("job.*", hear)
        await (await app.enqueue(PRUNE)).result(timeout=20)
        await (await jobs.add.enqueue(1)).result(timeout=20)
        async with asyncio.timeout(20):
            await ended.wait()
        await app.events.unsubscribe(subscription)
    assert heard == ["add"]


async def test_only_a_system_manager_may_ask_for_it_over_http(papers: FrameworkM) -> None:
    asked = {"job_name": PRUNE, "args": {"failed_days": 90}}
    async with calling(papers, CLERK) as clerk:
        assert (await clerk.post("/api/v1/jobs", json=asked)).status_code == 422
    async with calling(papers, ADMIN) as admin:
        assert (await admin.post("/api/v1/jobs", json=asked)).status_code == 202
        wrong = {"job_name": PRUNE, "args": {"failed_days": 0}}
        answer = await admin.post("/api/v1/jobs", json=wrong)
        assert answer.status_code == 422
        assert "args.failed_days" in answer.text


async def test_wishes_in_code_that_make_no_sense_are_refused(sqlite: Harness) -> None:
    old = await cancelled(sqlite, 8)
    for keep in ({JobStatus.CANCELLED: 0}, {JobStatus.CANCELLED: -1}, {JobStatus.RUNNING: 1}):
        with pytest.raises(ConfigurationError, match=r"above 0|have not ended"):
            await sqlite.app.retention.prune(keep)
    assert await sqlite.app.jobs.get(old) is not None


async def test_it_makes_its_own_transactions(sqlite: Harness) -> None:
    async with sqlite.app.transaction():
        with pytest.raises(ConfigurationError, match="outside of transactions"):
            await sqlite.app.retention.prune()
