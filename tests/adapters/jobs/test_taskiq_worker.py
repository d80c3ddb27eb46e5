"""taskiq's own command runs the application's workers."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from taskiq import InMemoryBroker
from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver

from framework_m import FrameworkM, JobStatus
from framework_m.adapters.jobs.broker import RECEIVER
from framework_m.adapters.jobs.taskiq_worker import WorkerReceiver
from framework_m.core.errors import ConfigurationError
from tests.support.harness import JOBS, Harness, until

ROOT = Path(__file__).parents[3]
APPLICATION = "tests.support.taskiq_application"
_STOP_TIMEOUT = 30


@contextmanager
def taskiq_worker(
    environment: Mapping[str, str], output: Path, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """`taskiq worker` on the test application; gone with its children when the block ends."""
    command = [sys.executable, "-m", "taskiq", "worker", f"{APPLICATION}:broker"]
    with output.open("ab") as log:
        process = subprocess.Popen(
            [*command, "--receiver", RECEIVER, *options],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(params=["sqlite", "nats_postgresql"])
def harness(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


async def test_it_has_the_guarantees_of_ours(harness: Harness, tmp_path: Path) -> None:
    environment = {
        **harness.environment(),
        "FRAMEWORK_M_LEASE": "1",
        "FRAMEWORK_M_SWEEP_INTERVAL": "0.1",
    }
    output, log, gate = (tmp_path / name for name in ("output", "deaths", "gate"))
    app = harness.application(modules=[*JOBS, APPLICATION])

    @app.broker.task(name="of_tomorrow")
    async def of_tomorrow() -> None: ...

    async with app:
        with taskiq_worker(environment, output, "-w", "1", "--max-prefetch", "2") as process:
            # Its own event handlers have run, and its labels count.
            counted = await harness.ended(await app.enqueue("count_on", n=3))
            assert (counted.result, counted.max_attempts) == (103, 4), output.read_text()
            # What it does not know waits, and is not lost.
            unknown = await app.enqueue("of_tomorrow")
            assert (await harness.reached(unknown, JobStatus.SCHEDULED)).blocked_on is not None
            # What waits for another attempt is run by whoever is there then.
            retried = await app.enqueue("asks_to_be_retried", after=0.5)
            await harness.reached(retried, JobStatus.RETRYING)
            # A child that is killed is replaced, and its job rescued.
            killed = await app.enqueue(f"{APPLICATION}:dies_once", log=log)
            assert (await harness.ended(killed)).status is JobStatus.SUCCESS, output.read_text()
            assert log.read_text().split() == [killed, killed]
            assert (await harness.ended(retried)).result == 2
            # Who is told to stop lets jobs end, threads too.
            waits = await app.enqueue(f"{APPLICATION}:waits_for", gate=gate, log=log)
            await harness.lines(log, 3)
            process.terminate()
            await _said(output, "Stopped process worker-0")
            gate.touch()
            assert (await harness.ended(waits)).result == "through"
            assert await asyncio.to_thread(process.wait, _STOP_TIMEOUT) == 0
    assert "change nothing here: --max-prefetch" in output.read_text()


async def _said(output: Path, words: str) -> None:
    async def look() -> bool:
        return words in output.read_text()

    await until(look)


@pytest.fixture
def app(sqlite: Harness) -> FrameworkM:
    return sqlite.application()


async def listened(receiver: WorkerReceiver) -> None:
    """From start to stop."""
    stop = asyncio.Event()
    stop.set()
    await receiver.listen(stop)


class TestOptions:
    """What taskiq's command is given means what it says, or is named."""

    @pytest.fixture
    def closed(self) -> FrameworkM:
        """Never opened: what is asked of its database would fail."""
        return FrameworkM()

    async def test_those_that_mean_something(self, app: FrameworkM) -> None:
        ended: list[Receiver] = []
        receiver = WorkerReceiver(
            app.broker,
            max_async_tasks=7,
            wait_tasks_timeout=1.5,
            on_exit=ended.append,
            queues="critical:4,default",
        )
        await listened(receiver)
        assert (app.settings.concurrency, app.settings.stop_grace) == (7, 1.5)
        assert ended == [receiver]

    async def test_no_limit_is_no_limit(self, app: FrameworkM) -> None:
        await listened(WorkerReceiver(app.broker, max_async_tasks=0))
        assert app.settings.concurrency is None

    async def test_who_was_drained_is_not_started_again(
        self, sqlite: Harness, app: FrameworkM
    ) -> None:
        ended, stop = asyncio.Event(), asyncio.Event()
        receiver = WorkerReceiver(app.broker, on_exit=lambda _: ended.set())
        listening = asyncio.create_task(receiver.listen(stop))
        [worker] = await until(sqlite.app.workers.list)
        await sqlite.app.workers.drain(worker.name)

        async def gone() -> bool:
            return not await sqlite.app.workers.list()

        await until(gone)
        assert not ended.is_set(), "taskiq would start another in its place"
        stop.set()
        await listening
        assert ended.is_set()

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"max_prefetch": 2}, "--max-prefetch"),
            ({"max_async_tasks_jitter": 2}, "--max-async-tasks-jitter"),
            ({"max_tasks_to_execute": 2}, "--max-tasks-per-child"),
            ({"validate_params": False}, "--no-parse"),
            ({"propagate_exceptions": False}, "--no-propagate-errors"),
            ({"ack_type": AcknowledgeType.WHEN_RECEIVED}, "--ack-type"),
        ],
    )
    def test_those_that_do_not_are_named(
        self,
        closed: FrameworkM,
        caplog: pytest.LogCaptureFixture,
        options: dict[str, Any],
        told: str,
    ) -> None:
        WorkerReceiver(closed.broker, **options)
        assert told in caplog.text

    def test_executors_are_named(
        self, closed: FrameworkM, caplog: pytest.LogCaptureFixture
    ) -> None:
        with ProcessPoolExecutor(1) as processes, ThreadPoolExecutor(77) as threads:
            WorkerReceiver(closed.broker, processes)
            WorkerReceiver(closed.broker, threads)
        assert "--use-process-pool" in caplog.text
        assert "--max-threadpool-threads" in caplog.text

    def test_what_taskiq_gives_unasked_is_no_warning(
        self, closed: FrameworkM, caplog: pytest.LogCaptureFixture
    ) -> None:
        with ThreadPoolExecutor() as threads:
            WorkerReceiver(
                closed.broker,
                threads,
                validate_params=True,
                max_async_tasks=100,
                max_async_tasks_jitter=0,
                max_prefetch=0,
                propagate_exceptions=True,
                ack_type=AcknowledgeType.WHEN_SAVED,
                max_tasks_to_execute=None,
                wait_tasks_timeout=None,
            )
        assert not [it for it in caplog.records if it.levelno >= logging.WARNING]

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"queues": "a b"}, "a b"),
            ({"strict": "true"}, "needs queues"),
            ({"queues": "a", "strict": "perhaps"}, "true or false"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_arguments_that_make_no_sense(
        self, closed: FrameworkM, options: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=told):
            WorkerReceiver(closed.broker, **options)

    async def test_an_open_application_keeps_its_settings(
        self, app: FrameworkM, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with app:
            await listened(WorkerReceiver(app.broker, max_async_tasks=7))
        assert app.settings.concurrency != 7
        assert "keeps its settings: concurrency" in caplog.text


def test_another_broker_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs the broker of a FrameworkM application"):
        WorkerReceiver(InMemoryBroker())


async def test_taskiqs_own_receiver_is_refused_and_says_what_to_use() -> None:
    app = FrameworkM()
    app.broker.is_worker_process = True  # as taskiq's command says
    with pytest.raises(ConfigurationError, match=RECEIVER):
        await Receiver(app.broker).listen(asyncio.Event())
    app.broker.is_worker_process = False
    with pytest.raises(ConfigurationError, match=RECEIVER):
        app.broker.listen()
