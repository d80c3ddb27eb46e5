"""Cancelling, retrying and deleting on every backend, and at moments that are easily missed."""

from pathlib import Path
from typing import Any

import pytest

from framework_m import JobStatus
from framework_m.adapters.jobs.receiver import JobReceiver
from tests.contracts.job_cancel_contract import JobCancelContract
from tests.support import jobs
from tests.support.harness import JOBS, Harness


class TestEveryBackend(JobCancelContract):
    @pytest.fixture
    def harness(self, every_backend: Harness) -> Harness:
        return every_backend


async def test_what_a_job_returned_stands_though_it_is_cancelled_while_it_is_tidied_up(
    sqlite: Harness, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    app = sqlite.application((*JOBS, "tests.support.context_jobs"))
    async with app, app.worker():
        handle = await app.enqueue("closes_slowly", gate=gate, log=log)
        other = await app.enqueue("wait_for", gate=tmp_path / "never", log=tmp_path / "other")
        assert await sqlite.lines(log, 1) == ["closing"]
        await sqlite.lines(tmp_path / "other", 1)
        await app.jobs.cancel(handle)
        await app.jobs.cancel(other)
        # The worker looks at all it runs at once: it has heard of the first one too.
        assert (await sqlite.ended(other)).status is JobStatus.CANCELLED
        gate.touch()
        job = await sqlite.ended(handle)
    assert (job.status, job.result) == (JobStatus.SUCCESS, "done")
    assert log.read_text().split() == ["closing", "closed"], "nothing broke in on it"


@pytest.mark.parametrize("what", ["cancelled", "lost"])
async def test_a_run_that_is_not_wanted_just_when_it_is_to_begin_leaves_its_slot(
    sqlite: Harness, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A coroutine that is interrupted before its first step never gets to tidy up."""
    begins = JobReceiver._start
    starts: list[Any] = []

    def start(receiver: JobReceiver, run: Any) -> None:
        begins(receiver, run)
        starts.append(run)
        if len(starts) == 1:
            run.cancel() if what == "cancelled" else receiver._let_go([run])

    monkeypatch.setattr(JobReceiver, "_start", start)
    app = sqlite.application(lease=1, concurrency=1)
    handle = await jobs.add.enqueue(1)
    async with app, app.worker():
        job = await sqlite.ended(handle)
        assert await (await app.enqueue("add", a=2)).result(timeout=20) == 3
    expected = (JobStatus.CANCELLED, 1) if what == "cancelled" else (JobStatus.SUCCESS, 2)
    assert (job.status, job.claim_no) == expected
