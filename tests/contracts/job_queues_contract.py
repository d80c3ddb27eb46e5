"""What every backend promises about queues: paused, resumed, and served in an order."""

from collections import Counter

import pytest

from framework_m import JobHandle, JobStatus, Queue, QueueOrder
from tests.support import jobs
from tests.support.harness import Harness, until

BOTH = ("default", "other")


class Boom(Exception):
    """Raised to leave a transaction."""


async def enqueued(harness: Harness, count: int, *queues: str) -> list[JobHandle[None]]:
    """Jobs that note the name of their queue, all of them where a worker finds them."""
    log = harness.folder / "log"
    calls = [
        jobs.note.options(queue=queue).call(log, queue) for queue in queues for _ in range(count)
    ]
    handles = await harness.app.enqueue_many(calls)
    await harness.app.ports.relay.close()
    return list(handles)


class JobQueuesContract:
    """Subclass it with a `harness` fixture."""

    async def test_a_paused_queue_waits_and_others_go_on(self, harness: Harness) -> None:
        gate, log = harness.folder / "gate", harness.folder / "ran"
        async with harness.app.worker(BOTH):
            running = await jobs.wait_for.options(queue="other").enqueue(gate, log)
            await harness.lines(log, 1)
            await harness.app.queues.pause("other")
            held = await jobs.on_another_queue.enqueue()
            for handle in await enqueued(harness, 5, "default"):
                await harness.ended(handle)
            gate.touch()
            assert (await harness.ended(running)).status is JobStatus.SUCCESS
            assert (await harness.record(held)).status is JobStatus.QUEUED
            async with harness.application() as elsewhere:
                paused = await elsewhere.queues.get("other")
                assert paused is not None
                assert (paused.paused, paused.waiting, paused.running) == (True, 1, 0)
                await elsewhere.queues.resume("other")
            assert await held.result(timeout=20) == "done"

    async def test_a_pause_counts_before_workers_have_heard_of_it(self, harness: Harness) -> None:
        async with harness.app.worker(BOTH):
            async with harness.application() as elsewhere:
                await elsewhere.queues.pause("other")
                held = await enqueued(harness, 30, "other")
                for handle in await enqueued(harness, 10, "default"):
                    await harness.ended(handle)
                await until(lambda: _heard(harness, "other"))
                assert {(await harness.record(job)).status for job in held} == {JobStatus.QUEUED}
                await elsewhere.queues.resume("other")
            for handle in held:
                await harness.ended(handle)
        log = (harness.folder / "log").read_text().split()
        assert Counter(log) == {"other": 30, "default": 10}, "none was lost, none ran twice"

    async def test_a_worker_with_nothing_but_paused_queues_wakes_up(self, harness: Harness) -> None:
        queue = await harness.app.repository(Queue).save(Queue(name="other", paused=True))
        async with harness.app.worker(["other"]):
            held = await jobs.on_another_queue.enqueue()
            await harness.app.repository(Queue).delete(queue)
            assert await held.result(timeout=20) == "done"

    async def test_a_pause_shares_the_fate_of_its_transaction(self, harness: Harness) -> None:
        async with harness.app.worker(["other"]):
            with pytest.raises(Boom):
                async with harness.app.transaction():
                    await harness.app.queues.pause("other")
                    raise Boom
            assert await (await jobs.on_another_queue.enqueue()).result(timeout=20) == "done"
            async with harness.app.transaction():
                await harness.app.queues.pause("other")
                held = await jobs.on_another_queue.enqueue()
            for handle in await enqueued(harness, 3, "other"):
                assert await handle.status() is JobStatus.QUEUED
            assert await held.status() is JobStatus.QUEUED

    async def test_what_waits_in_a_paused_queue_is_in_nobodys_way(self, harness: Harness) -> None:
        await harness.app.queues.pause("other")
        await enqueued(harness, 1000, "other")
        async with harness.app.worker(BOTH):
            for handle in await enqueued(harness, 100, "default"):
                await harness.ended(handle)
        assert set((harness.folder / "log").read_text().split()) == {"default"}
        [paused] = [queue for queue in await harness.app.queues.list() if queue.name == "other"]
        assert paused.waiting == 1000

    async def test_a_strict_order_serves_the_first_queue_first(self, harness: Harness) -> None:
        jobs_of_all = await enqueued(harness, 10, "default", "critical", "low")
        order = QueueOrder.parse("critical,default,low", strict=True)
        async with harness.application(concurrency=1).worker(order):
            await harness.ended(jobs_of_all[-1])
        started = (harness.folder / "log").read_text().split()
        assert started == ["critical"] * 10 + ["default"] * 10 + ["low"] * 10

    async def test_queues_are_served_by_their_weights(self, harness: Harness) -> None:
        await enqueued(harness, 28, "low", "default", "critical")
        # Four rounds of 4, 2 and 1, while there are jobs in each of them.
        async with harness.application(concurrency=1).worker("critical:4,default:2,low:1"):
            started = await harness.lines(harness.folder / "log", 28)
        shares = Counter(started[:28])
        assert 14 <= shares["critical"] <= 18
        assert 6 <= shares["default"] <= 10
        assert 3 <= shares["low"] <= 5


async def _heard(harness: Harness, queue: str) -> bool:
    return harness.app.ports.queue_states.is_paused(queue)
