"""What every store of workers' records promises."""

from datetime import timedelta

from framework_m import JobStatus
from framework_m.core.interfaces.worker_store import WorkerFacts
from tests.support import jobs
from tests.support.harness import Harness

MINUTE, AGO = timedelta(minutes=1), timedelta(minutes=-1)
ONE = WorkerFacts("one:1:a", "one", 1, "1.0", ("default", "other"), 50)
TWO = WorkerFacts("two:2:b", "two", 2, "1.0", ("default",), 5)


class WorkerStoreContract:
    """Subclass it with a `harness` fixture."""

    async def test_a_worker_is_known_from_its_first_beat_until_it_leaves(
        self, harness: Harness
    ) -> None:
        store = harness.app.ports.worker_store
        assert await store.find() == []
        assert await store.beat(TWO, memory_bytes=None, lost_after=MINUTE) is False
        assert await store.beat(ONE, memory_bytes=1, lost_after=MINUTE) is False
        assert await store.beat(ONE, memory_bytes=5_000_000_000, lost_after=MINUTE) is False
        one, two = await store.find()
        assert (one.facts, two.facts) == (ONE, TWO)
        assert (one.memory_bytes, two.memory_bytes) == (5_000_000_000, None)
        assert one.started_at <= one.seen_at
        assert (one.is_draining, one.is_lost, one.running) == (False, False, 0)
        assert [it.facts for it in await store.find(TWO.name)] == [TWO]
        for nobody in ("nobody", "\x00", "\ud800"):
            assert await store.find(nobody) == []
            assert await store.running(nobody, 10) == []
            assert await store.drain([nobody]) == frozenset()
        for _ in range(2):
            await store.leave(ONE.name)
        assert [it.facts for it in await store.find()] == [TWO]

    async def test_who_is_asked_to_drain_hears_of_it(self, harness: Harness) -> None:
        store = harness.app.ports.worker_store
        for worker in (ONE, TWO):
            await store.beat(worker, memory_bytes=None, lost_after=MINUTE)
        assert await store.drain(["nobody", ONE.name]) == {ONE.name}
        assert await store.beat(ONE, memory_bytes=None, lost_after=MINUTE) is True
        asked = [await store.is_to_drain(name) for name in (ONE.name, TWO.name, "nobody")]
        assert asked == [True, False, False]
        assert [it.is_draining for it in await store.find()] == [True, False]

    async def test_all_that_are_not_lost_are_asked_at_once(self, harness: Harness) -> None:
        store = harness.app.ports.worker_store
        await store.beat(ONE, memory_bytes=None, lost_after=AGO)
        await store.beat(TWO, memory_bytes=None, lost_after=MINUTE)
        assert await store.drain(None) == {TWO.name}

    async def test_who_is_not_heard_of_is_lost_until_it_beats_again(self, harness: Harness) -> None:
        store = harness.app.ports.worker_store
        await store.beat(ONE, memory_bytes=None, lost_after=AGO)
        assert [it.is_lost for it in await store.find()] == [True]
        await store.beat(ONE, memory_bytes=None, lost_after=MINUTE)
        assert [it.is_lost for it in await store.find()] == [False]

    async def test_the_long_gone_are_forgotten_and_may_come_again(self, harness: Harness) -> None:
        store = harness.app.ports.worker_store
        await store.beat(ONE, memory_bytes=None, lost_after=MINUTE)
        assert await store.forget(MINUTE) == 0
        assert await store.forget(AGO) == 1
        assert await store.beat(ONE, memory_bytes=None, lost_after=MINUTE) is False
        assert [it.facts for it in await store.find()] == [ONE]

    async def test_what_a_worker_runs_is_told_by_the_rows_it_holds(self, harness: Harness) -> None:
        store = harness.app.ports.worker_store
        await store.beat(ONE, memory_bytes=None, lost_after=MINUTE)
        ids = [await jobs.on_another_queue.enqueue() for _ in range(4)]
        for job_id, worker in zip(ids, (ONE, ONE, ONE, TWO), strict=True):
            await harness.change(job_id, status=JobStatus.RUNNING.value, worker=worker.name)
        await harness.change(ids[0], status=JobStatus.SUCCESS.value)
        [one] = await store.find()
        assert one.running == 2
        held = await store.running(ONE.name, 1000)
        assert {(it.job_id, it.job_name) for it in held} == {
            (str(job_id), "on_another_queue") for job_id in ids[1:3]
        }
        assert len(await store.running(ONE.name, 1)) == 1
