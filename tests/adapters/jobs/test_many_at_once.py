"""A worker without a bound on its jobs, and what is bounded all the same."""

from collections.abc import Sequence

import pytest

from framework_m import JobStatus
from framework_m.adapters.jobs import calls
from framework_m.adapters.jobs.leases import some_at_a_time
from framework_m.core.interfaces.job_queue import Delivery
from framework_m.core.interfaces.job_store import ClaimTerms
from tests.support import jobs
from tests.support.harness import Harness


async def test_one_claim_takes_some_hundreds_at_most(
    sqlite: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, log, asked = sqlite.folder / "gate", sqlite.folder / "log", list[int]()
    await sqlite.app.enqueue_many([jobs.wait_for.call(gate, log) for _ in range(600)])
    app = sqlite.application(concurrency="unlimited")
    async with app:
        queue = app.ports.job_queue
        claim = queue.claim

        async def counted(terms: ClaimTerms, limit: int) -> Sequence[Delivery]:
            asked.append(limit)
            return await claim(terms, limit)

        monkeypatch.setattr(queue, "claim", counted)
        async with app.worker():
            await sqlite.lines(log, 600)
            gate.touch()
    assert max(asked) == 500


async def test_threads_are_bounded_and_jobs_wait_for_one(
    sqlite: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MOST_THREADS", 1)
    log = sqlite.folder / "log"
    async with sqlite.application(concurrency=10).worker():
        first = await sqlite.app.enqueue("until_cancelled", log=log)
        await sqlite.lines(log, 1)
        second = await sqlite.app.enqueue("plain", text="a")
        coroutine = await sqlite.app.enqueue("add", a=1)
        assert (await sqlite.ended(coroutine)).status is JobStatus.SUCCESS
        await sqlite.reached(second, JobStatus.RUNNING)
        await sqlite.app.jobs.cancel(first)
        assert (await sqlite.ended(second)).result == "A"
    assert log.read_text().split() == ["started", "noticed"]


def test_no_statement_of_the_leases_grows_without_bound() -> None:
    held = {str(n): n for n in range(5000)}
    parts = list(some_at_a_time(held))
    assert [len(part) for part in parts] == [2000, 2000, 1000]
    assert dict(item for part in parts for item in part.items()) == held
    assert list(some_at_a_time({})) == []
