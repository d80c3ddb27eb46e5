"""The relay: tells the queue of committed jobs, at once or in a later sweep (invariant 1)."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.job_queue import JobQueueProtocol
    from framework_m.core.interfaces.job_store import Dispatch, JobStore

logger = logging.getLogger(__name__)

_BATCH = 500
_HEAD_START = timedelta(seconds=1)
"""Whoever committed a job publishes it at once; sweeping sooner would only do it twice."""


class Relay:
    """Publishes job rows to the queue. Run a sweep in every process: any may mend any other's."""

    def __init__(self, store: JobStore, queue: JobQueueProtocol) -> None:
        self._store = store
        self._queue = queue

    async def publish(self, jobs: Sequence[Dispatch]) -> None:
        """Hand over jobs whose transaction has just committed."""
        await self._queue.dispatch(jobs)
        if self._queue.needs_dispatch:
            await self._store.mark_dispatched(jobs)

    async def sweep(self) -> int:
        """Hand over what was committed and never published; how many that were."""
        if not self._queue.needs_dispatch:
            return 0
        total = 0
        while jobs := await self._store.undispatched(_BATCH, older_than=_HEAD_START):
            await self.publish(jobs)
            total += len(jobs)
        if total:
            logger.info("relay: dispatched %d jobs that had not been", total)
        return total
