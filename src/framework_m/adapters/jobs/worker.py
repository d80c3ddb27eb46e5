"""One worker, from start to graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from framework_m import __version__
from framework_m.adapters.jobs.calls import MOST_THREADS
from framework_m.adapters.jobs.receiver import JobReceiver
from framework_m.core.errors import UnavailableError
from framework_m.core.interfaces.worker_store import WorkerFacts
from framework_m.core.jobs.gates import GateOpener
from framework_m.core.jobs.heartbeat import Heartbeat
from framework_m.core.jobs.parking import Unparker
from framework_m.core.jobs.rescue import Rescuer
from framework_m.core.jobs.run_log import logging_heard
from framework_m.core.outage import Outage, every

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from framework_m.adapters.jobs.ports import WorkerPorts
    from framework_m.core.jobs.emptiness import Emptiness
    from framework_m.core.jobs.queue_order import QueueOrder

logger = logging.getLogger(__name__)

_FIRST_LOOK, _LAST_LOOK = 0.002, 0.1
"""Seconds between looks whether anything is left, while handlers or messages are on their way."""


async def run_worker(
    ports: WorkerPorts,
    stop: asyncio.Event,
    order: QueueOrder | None = None,
    *,
    name: str | None = None,
    until: Emptiness | None = None,
    drained: asyncio.Event | None = None,
    begun: asyncio.Event | None = None,
) -> int:
    """Run jobs until `stop`; then let running ones end within the grace and give back the rest.

    Somebody may ask the worker to drain, too: then it ends after what it runs.

    name: what it is called in its claims; by default it has a name of its own making.
    until: stop also when nothing is left to do. How many runs it has begun.
    drained: set when it begins to drain.
    begun: set when nothing of it can be wrong any more. Raises ConfigurationError before.
    """
    drained, begun = drained or asyncio.Event(), begun or asyncio.Event()
    async with ports.broker.working(), _followed(stop) as over:
        return await _work(ports, over, order, name, until, drained, begun)


async def _work(
    ports: WorkerPorts,
    stop: asyncio.Event,
    order: QueueOrder | None,
    name: str | None,
    until: Emptiness | None,
    drained: asyncio.Event,
    begun: asyncio.Event,
) -> int:
    most_threads = min(ports.concurrency, MOST_THREADS)
    threads = ThreadPoolExecutor(max_workers=most_threads, thread_name_prefix="job")
    receiver = JobReceiver(ports, threads, order=order, name=name)
    gone = asyncio.Event()
    heartbeat = _heartbeat(ports, receiver, drained)
    beside = [heartbeat.run(stop, gone), *_sweeps(ports, stop)]
    if until is not None:
        beside.append(_stop_when_empty(until, receiver, stop))
    running = [asyncio.create_task(part, name="worker's") for part in beside]
    begun.set()
    try:
        with logging_heard():
            await receiver.listen(stop)
    finally:
        stop.set()
        gone.set()
        await asyncio.gather(*running)
        # A thread cannot be stopped; whoever owns the process decides whether to wait for it.
        threads.shutdown(wait=False, cancel_futures=True)
    return receiver.begun


def _sweeps(ports: WorkerPorts, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    rescuer = Rescuer(
        ports.store,
        ports.relay,
        lease=ports.lease,
        interval=timedelta(seconds=ports.sweep_interval),
        max_rescues=ports.max_rescues,
    )
    unparker = Unparker(ports.store, ports.relay, ports.registry)
    opener = GateOpener(ports.store, ports.relay, ports.sweep_interval)
    return [
        every(ports.sweep_interval, rescuer.sweep, stop, who="rescue"),
        every(ports.sweep_interval, unparker.sweep, stop, who="parked jobs"),
        opener.run(stop),
    ]


@contextlib.asynccontextmanager
async def _followed(stop: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    """Set when `stop` is. That one is not ours to set: others may wait for it."""
    own = asyncio.Event()

    async def follow() -> None:
        await stop.wait()
        own.set()

    following = asyncio.create_task(follow(), name="stop")
    try:
        yield own
    finally:
        following.cancel()


def _heartbeat(ports: WorkerPorts, receiver: JobReceiver, drained: asyncio.Event) -> Heartbeat:
    def drain() -> None:
        drained.set()
        receiver.drain()

    worker = WorkerFacts(
        name=receiver.terms.worker,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=__version__,
        queues=receiver.terms.queues,
        concurrency=ports.concurrency,
    )
    interval = timedelta(seconds=ports.heartbeat_interval)
    return Heartbeat(ports.worker_store, worker, interval, drain)


async def _stop_when_empty(
    emptiness: Emptiness, receiver: JobReceiver, stop: asyncio.Event
) -> None:
    outage, patience, begun = Outage("emptiness"), _FIRST_LOOK, 0
    while not stop.is_set():
        seen = receiver.slot_freed.calls
        if receiver.is_busy:
            await receiver.slot_freed.wait_beyond(seen, 60)
            continue
        if receiver.begun != begun:
            patience, begun = _FIRST_LOOK, receiver.begun
        try:
            terms = receiver.terms
            if await emptiness.is_empty(terms.queues, terms.worker, lambda: receiver.begun):
                stop.set()
        except UnavailableError as error:
            await outage.wait(error, stop)
            continue
        except Exception as error:
            # A worker that no longer looks would never end.
            logger.exception("looking whether anything is left failed")
            await outage.wait(error, stop)
            continue
        outage.over()
        await receiver.slot_freed.wait_beyond(seen, patience)
        patience = min(2 * patience, _LAST_LOOK)


@contextlib.asynccontextmanager
async def worker(
    ports: WorkerPorts, order: QueueOrder | None = None, *, drained: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """A worker in the background of the block, stopped gracefully when the block is left.

    Raises ConfigurationError if it cannot begin: nobody would run what the block waits for.
    """
    stop, begun = asyncio.Event(), asyncio.Event()
    working = run_worker(ports, stop, order, drained=drained, begun=begun)
    running = asyncio.create_task(working, name="worker")
    try:
        await _begun_or_ended(begun, running)
        yield
    finally:
        stop.set()
        await running


async def _begun_or_ended(begun: asyncio.Event, running: asyncio.Task[int]) -> None:
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not begun.is_set():
        await running
