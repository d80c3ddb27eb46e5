"""Faults of taskiq 0.13 and taskiq-nats 0.7: each shown on the bare libraries, then its absence.

Should one of the bare tests fail after an upgrade, the fault is mended upstream, and our remedy
may be too much.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import pytest
from nats.js.api import ConsumerConfig
from taskiq import Context, InMemoryBroker, TaskiqDepends, TaskiqMessage
from taskiq.receiver import Receiver
from taskiq_nats import PullBasedJetStreamBroker

from framework_m import JobStatus
from framework_m.adapters.jobs.broker import JobBroker
from tests.support import jobs
from tests.support.harness import Harness, until
from tests.support.servers import NatsServer, NatsServerFactory

Bare = Callable[..., Awaitable[PullBasedJetStreamBroker]]

_A_WHILE = 1.5
"""Long enough to see that something does not happen; only tests of the bare libraries wait so."""


@pytest.fixture
async def bare(nats_server: NatsServer, nats_prefix: str) -> AsyncIterator[Bare]:
    """Make a broker of the bare libraries, on a stream of its own."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(url: str = nats_server.url, **options: Any) -> PullBasedJetStreamBroker:
            config = ConsumerConfig(durable_name="bare", ack_wait=options.pop("ack_wait", 30))
            broker = PullBasedJetStreamBroker(
                url,
                subject=f"{nats_prefix}.bare",
                stream_name=f"{nats_prefix}_bare",
                durable="bare",
                consumer_config=config,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.1,
                **options,
            )
            broker.is_worker_process = True
            await broker.startup()
            stack.push_async_callback(broker.shutdown)
            return broker

        yield make


@contextlib.asynccontextmanager
async def listening(broker: PullBasedJetStreamBroker, **options: Any) -> AsyncIterator[Any]:
    """A bare receiver at work; yields its task."""
    receiver = Receiver(broker, run_startup=False, **{"max_async_tasks": 10, **options})
    stop = asyncio.Event()
    running = asyncio.create_task(receiver.listen(stop))
    try:
        yield running
    finally:
        stop.set()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(running, 5)


async def pending(broker: PullBasedJetStreamBroker) -> tuple[int, int]:
    """Messages that nobody has taken, and messages taken and not acknowledged."""
    info = await broker.consumer.consumer_info()
    return info.num_pending or 0, info.num_ack_pending or 0


async def stream_messages(harness: Harness) -> int:
    broker: Any = harness.app.ports.job_streams
    info = await broker.connection.jetstream.stream_info(f"{harness.settings().nats_prefix}_jobs")
    return int(info.state.messages)


async def emptied(harness: Harness) -> None:
    async def look() -> bool:
        return await stream_messages(harness) == 0

    await until(look)


class TestLongJobs:
    """A task that outlasts ack_wait is delivered again while it runs: no in-progress is sent."""

    async def test_bare(self, bare: Bare) -> None:
        broker = await bare(ack_wait=0.5)
        starts = asyncio.Semaphore(0)

        @broker.task
        async def long() -> None:
            starts.release()
            await asyncio.sleep(_A_WHILE)

        async with listening(broker):
            await long.kiq()
            await starts.acquire()
            await asyncio.wait_for(starts.acquire(), 10)  # it started a second time

    async def test_ours(self, nats_sqlite: Harness) -> None:
        log = nats_sqlite.folder / "log"
        app = nats_sqlite.application(lease=1)
        async with app.worker(), app.worker():
            handle = await nats_sqlite.app.jobs.enqueue("wait_long", seconds=2.5, log=log)
            await nats_sqlite.ended(handle)
        assert log.read_text().split() == [handle]


class TestUnknownAndUnparsable:
    """A message that cannot be run is acknowledged and gone. Ours is parked: see the outages."""

    @pytest.mark.parametrize(
        "message",
        [
            b"nonsense",
            b'{"task_id": "1", "task_name": "no such", "labels": {}, "args": [], "kwargs": {}}',
        ],
    )
    async def test_bare(self, bare: Bare, message: bytes) -> None:
        broker = await bare()
        async with listening(broker):
            await broker.js.publish(broker.subject, message)

            async def gone() -> bool:
                return await pending(broker) == (0, 0)

            await until(gone)

    async def test_ours(self, nats_sqlite: Harness) -> None:
        other = nats_sqlite.application(modules=["tests.support.other_jobs"])
        async with other.worker(["default"]):
            handle = await nats_sqlite.app.jobs.enqueue("add", a=1)
            await nats_sqlite.reached(handle, JobStatus.SCHEDULED)


class TestFailures:
    """A task that raises is acknowledged and never tried again."""

    async def test_bare(self, bare: Bare) -> None:
        broker = await bare()
        runs = 0

        @broker.task
        async def fails() -> None:
            nonlocal runs
            runs += 1
            raise RuntimeError

        async with listening(broker):
            await fails.kiq()

            async def gone() -> bool:
                return runs > 0 and await pending(broker) == (0, 0)

            await until(gone)
        assert runs == 1

    async def test_ours(self, nats_sqlite: Harness) -> None:
        async with nats_sqlite.app.worker():
            handle = await jobs.fails_at_first.enqueue(1)
            assert await handle.result(timeout=20) == 2


class TestListenErrors:
    """Any error of listening ends the worker, a deleted consumer for one."""

    async def test_bare(self, bare: Bare) -> None:
        broker = await bare(pull_consume_timeout=0.2)
        async with listening(broker) as running:
            await broker.js.delete_consumer(broker.stream_name, "bare")
            with pytest.raises(Exception):  # noqa: B017, PT011 - whichever: it ended
                await asyncio.wait_for(asyncio.shield(running), 10)
            assert running.done()

    async def test_ours(self, nats_sqlite: Harness) -> None:
        broker: Any = nats_sqlite.app.ports.job_streams
        stream = f"{nats_sqlite.settings().nats_prefix}_jobs"
        async with nats_sqlite.app.worker():
            await (await jobs.add.enqueue(1)).result(timeout=20)
            await broker.connection.jetstream.delete_consumer(stream, "default_2")
            await (await jobs.add.enqueue(1)).result(timeout=20)


class TestRestarts:
    """With the default fetch timeout, the pull listener is deaf after a restart of NATS."""

    async def test_bare(self, bare: Bare, nats_server_factory: NatsServerFactory) -> None:
        server = nats_server_factory()
        broker = await bare(url=server.url)
        started = asyncio.Event()

        @broker.task
        async def quick() -> None:
            started.set()

        async with listening(broker):
            await quick.kiq()
            await asyncio.wait_for(started.wait(), 10)
            started.clear()
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)

            async def sent() -> bool:
                with contextlib.suppress(Exception):
                    await quick.kiq()
                    return True
                return False

            await until(sent)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(started.wait(), 2 * _A_WHILE)

    # Ours: tests/e2e/test_nats_outages.py, test_a_restart_under_load_loses_nothing.


class TestBatches:
    """A pull batch of 100 with the default timeout starts nothing until there are 100."""

    async def test_bare(self, bare: Bare) -> None:
        broker = await bare(pull_consume_batch=100)
        started = asyncio.Event()

        @broker.task
        async def quick() -> None:
            started.set()

        async with listening(broker):

            async def fetching() -> bool:
                return bool((await broker.consumer.consumer_info()).num_waiting)

            await until(fetching)  # for a hundred, and for as long as it takes
            for _ in range(5):
                await quick.kiq()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(started.wait(), _A_WHILE)

    async def test_ours(self, nats_sqlite: Harness) -> None:
        async with nats_sqlite.application(concurrency=100).worker():
            handles = [await nats_sqlite.app.jobs.enqueue("add", a=n) for n in range(5)]
            for handle in handles:
                await nats_sqlite.ended(handle)


class TestGracefulStop:
    """Prefetched messages are stranded by a graceful stop, until their ack_wait."""

    async def test_bare(self, bare: Bare) -> None:
        broker = await bare()
        started = asyncio.Event()

        @broker.task
        async def slow() -> None:
            started.set()
            await asyncio.sleep(0.2)

        for _ in range(10):
            await slow.kiq()
        stop = asyncio.Event()
        receiver = Receiver(
            broker, run_startup=False, max_async_tasks=1, max_prefetch=5, wait_tasks_timeout=0.01
        )
        running = asyncio.create_task(receiver.listen(stop))
        await started.wait()
        stop.set()
        await running
        _, unacknowledged = await pending(broker)
        assert unacknowledged > 0

    async def test_ours(self, nats_sqlite: Harness) -> None:
        gate, log = nats_sqlite.folder / "gate", nats_sqlite.folder / "log"
        for _ in range(10):
            await jobs.wait_for.enqueue(gate, log)
        app = nats_sqlite.application(concurrency=2, stop_grace=0)
        async with app.worker():
            await nats_sqlite.lines(log, 2)
        gate.touch()
        async with nats_sqlite.app.worker():
            for job in await nats_sqlite.app.jobs.list(limit=20):
                await nats_sqlite.ended(job.job_id)
            await emptied(nats_sqlite)


class TestRetention:
    """The stream keeps every message for ever."""

    async def test_bare(self, bare: Bare) -> None:
        broker = await bare()
        ran = asyncio.Event()

        @broker.task
        async def quick() -> None:
            ran.set()

        async with listening(broker):
            await quick.kiq()
            await ran.wait()

            async def acknowledged() -> bool:
                return await pending(broker) == (0, 0)

            await until(acknowledged)
        assert (await broker.js.stream_info(broker.stream_name)).state.messages == 1

    async def test_ours(self, nats_sqlite: Harness) -> None:
        async with nats_sqlite.app.worker():
            await (await jobs.add.enqueue(1)).result(timeout=20)
            await emptied(nats_sqlite)


class TestWrongTypes:
    """Arguments that do not fit pass through unconverted. Ours are refused: see the contract."""

    async def test_bare(self) -> None:
        broker = InMemoryBroker(await_inplace=True)
        seen: list[object] = []

        @broker.task
        async def takes_int(n: int) -> None:
            seen.append(n)

        await takes_int.kiq("many")  # type: ignore[call-overload]
        assert seen == ["many"]


class TestDependencies:
    """A dependency that is not cached can receive the Context of another run."""

    @staticmethod
    async def contexts_seen(broker: Any, receiver: Receiver) -> dict[str, str]:
        """For each of two runs at once, whose Context its late dependency was given."""
        both_inside = asyncio.Barrier(2)
        seen: dict[str, str] = {}

        async def early() -> None:
            await both_inside.wait()  # both runs have put their Context where it is looked up

        def late(context: Annotated[Context, TaskiqDepends()]) -> str:
            return context.message.task_id

        async def target(
            own: str,
            _early: Annotated[None, TaskiqDepends(early, use_cache=False)],
            given: Annotated[str, TaskiqDepends(late, use_cache=False)],
        ) -> None:
            seen[own] = given

        broker.register_task(target, task_name="target")
        messages = [
            TaskiqMessage(task_id=i, task_name="target", labels={}, args=[], kwargs={"own": i})
            for i in ("1", "2")
        ]
        await asyncio.gather(*(receiver.run_task(target, message) for message in messages))
        return seen

    async def test_bare(self) -> None:
        broker = InMemoryBroker()
        seen = await self.contexts_seen(broker, Receiver(broker, max_async_tasks=10))
        assert seen in ({"1": "1", "2": "1"}, {"1": "2", "2": "2"})

    async def test_ours(self) -> None:
        broker = JobBroker()
        seen = await self.contexts_seen(broker, Receiver(broker, max_async_tasks=10))
        assert seen == {"1": "1", "2": "2"}
