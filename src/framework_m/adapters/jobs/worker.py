"""One worker, from start to graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.adapters.jobs.receiver import JobReceiver
from framework_m.core.jobs.gates import GateOpener
from framework_m.core.jobs.parking import Unparker
from framework_m.core.jobs.rescue import Rescuer
from framework_m.core.jobs.run_log import logging_heard
from framework_m.core.outage import every

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from framework_m.adapters.jobs.ports import WorkerPorts
    from framework_m.core.jobs.queue_order import QueueOrder


async def run_worker(
    ports: WorkerPorts, stop: asyncio.Event, order: QueueOrder | None = None
) -> None:
    """Run jobs until `stop`; then let running ones end within the grace and give back the rest."""
    async with ports.broker.working():
        await _work(ports, stop, order)


async def _work(ports: WorkerPorts, stop: asyncio.Event, order: QueueOrder | None) -> None:
    threads = ThreadPoolExecutor(max_workers=ports.concurrency, thread_name_prefix="job")
    receiver = JobReceiver(ports, threads, order=order)
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
    try:
        with logging_heard():
            await receiver.listen(stop)
    finally:
        stop.set()
        await asyncio.gather(*sweeps)
        # A thread cannot be stopped; whoever owns the process decides whether to wait for it.
        threads.shutdown(wait=False, cancel_futures=True)


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
