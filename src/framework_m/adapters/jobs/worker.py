"""One worker, from start to graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.adapters.jobs.calls import MOST_THREADS
from framework_m.adapters.jobs.receiver import JobReceiver
from framework_m.core.errors import UnavailableError
from framework_m.core.jobs.gates import GateOpener
from framework_m.core.jobs.parking import Unparker
from framework_m.core.jobs.rescue import Rescuer
from framework_m.core.jobs.run_log import logging_heard
from framework_m.core.outage import Outage, every

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from framework_m.adapters.jobs.ports import WorkerPorts
    from framework_m.core.jobs.emptiness import Emptiness
    from framework_m.core.jobs.queue_order import QueueOrder


_FIRST_LOOK, _LAST_LOOK = 0.002, 0.1
"""Seconds between looks whether anything is left, while handlers or messages are on their way."""


async def run_worker(
    ports: WorkerPorts,
    stop: asyncio.Event,
    order: QueueOrder | None = None,
    *,
    name: str | None = None,
    until: Emptiness | None = None,
) -> int:
    """Run jobs until `stop`; then let running ones end within the grace and give back the rest.

    name: what it is called in its claims; by default it has a name of its own making.
    until: stop also when nothing is left to do. How many runs it has begun.
    """
    broker = ports.broker
    broker.is_worker_process = True
    most_threads = min(ports.concurrency, MOST_THREADS)
    threads = ThreadPoolExecutor(max_workers=most_threads, thread_name_prefix="job")
    receiver = JobReceiver(
        broker, threads, max_async_tasks=ports.concurrency, order=order, name=name
    )
    interval = timedelta(seconds=ports.sweep_interval)
    rescuer = Rescuer(
        ports.store,
        ports.relay,
        lease=ports.lease,
        interval=interval,
        max_rescues=ports.max_rescues,
    )
    unparker = Unparker(ports.store, ports.relay, ports.registry)
    sweeps = [
        asyncio.create_task(every(ports.sweep_interval, sweep, stop, who=name), name=name)
        for name, sweep in (("rescue", rescuer.sweep), ("parked jobs", unparker.sweep))
    ]
    opener = GateOpener(ports.store, ports.relay, ports.sweep_interval)
    sweeps.append(asyncio.create_task(opener.run(stop), name="gates"))
    if until is not None:
        looking = _stop_when_empty(until, receiver, stop)
        sweeps.append(asyncio.create_task(looking, name="emptiness"))
    try:
        with logging_heard():
            await receiver.listen(stop)
    finally:
        stop.set()
        await asyncio.gather(*sweeps)
        # A thread cannot be stopped; whoever owns the process decides whether to wait for it.
        threads.shutdown(wait=False, cancel_futures=True)
        await broker.shutdown()
    return receiver.begun


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
        outage.over()
        await receiver.slot_freed.wait_beyond(seen, patience)
        patience = min(2 * patience, _LAST_LOOK)


@contextlib.asynccontextmanager
async def worker(ports: WorkerPorts, order: QueueOrder | None = None) -> AsyncIterator[None]:
    """A worker in the background of the block, stopped gracefully when the block is left."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(ports, stop, order), name="worker")
    try:
        yield
    finally:
        stop.set()
        await running
