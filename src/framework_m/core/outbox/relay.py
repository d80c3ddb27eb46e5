"""The relay: tells the queue of committed jobs, at once or in a later sweep (invariant 1)."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.job_queue import JobQueueProtocol
    from framework_m.core.interfaces.job_store import Dispatch, JobStore

logger = logging.getLogger(__name__)

_BATCH = 500
_HEAD_START = timedelta(seconds=1)
"""Whoever committed a job publishes it at once; sweeping sooner would only do it twice."""
_LOST_AFTER = timedelta(seconds=5)


class Relay:
    """Publishes job rows to the queue. Run a sweep in every process: any may mend any other's."""

    def __init__(self, store: JobStore, queue: JobQueueProtocol) -> None:
        self._store = store
        self._queue = queue
        self._outgoing: list[Dispatch] = []
        self._sending: asyncio.Task[None] | None = None

    async def publish(self, jobs: Sequence[Dispatch]) -> None:
        """Hand over jobs whose transaction has just committed, without keeping the committer.

        What is committed meanwhile goes with the next batch. If the queue is away, a sweep does it.
        """
        if not self._queue.needs_dispatch:
            await self._queue.dispatch(jobs)
            return
        self._outgoing.extend(jobs)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="relay")

    async def sweep(self) -> int:
        """Hand over what was committed and never published, and what the queue has lost.

        How many that were. Raises UnavailableError.
        """
        if not self._queue.needs_dispatch:
            return 0
        total = await self._sweep_undispatched() + await self._sweep_lost()
        if total:
            logger.info("relay: dispatched %d jobs that had not been", total)
        return total

    async def close(self) -> None:
        """Hand over what is still on its way."""
        if self._sending is not None:
            await self._sending

    async def _sweep_undispatched(self) -> int:
        total = 0
        while handed_over := await self._store.relay_undispatched(
            self._queue.dispatch, _BATCH, older_than=_HEAD_START
        ):
            total += handed_over
        return total

    async def _sweep_lost(self) -> int:
        """A queue without any message, and due jobs that were sent to it: the queue lost them."""
        total = 0
        suspects = await self._store.waiting_since(_LOST_AFTER)
        for queue in await self._queue.idle_queues(suspects) if suspects else ():
            while jobs := await self._store.lost(queue, _BATCH, older_than=_LOST_AFTER):
                await self._queue.dispatch(jobs)
                total += len(jobs)
        return total

    async def _send(self) -> None:
        while self._outgoing:
            jobs, self._outgoing = self._outgoing[:_BATCH], self._outgoing[_BATCH:]
            try:
                await self._queue.dispatch(jobs)
                # Should this be lost, a sweep publishes once more, which is harmless.
                await self._store.mark_dispatched(jobs)
            except UnavailableError as error:
                logger.warning("relay: %d jobs are left to the next sweep: %s", len(jobs), error)
