"""InMemoryJobQueue: messages in this process, rows in the database. For tests and one process."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from framework_m.core import clock
from framework_m.core.errors import UnavailableError
from framework_m.core.interfaces.job_queue import Delivery
from framework_m.core.jobs.states import WAITING
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.job_store import ClaimTerms, Dispatch, JobStore

logger = logging.getLogger(__name__)

_PATIENCE = 1.0
_SOON = 1.0
_LONGEST_TIMER = 3600.0
_MARGIN = 0.01
"""The database's clock, which decides what is due, may tell milliseconds only."""
_Entry = tuple[int, int, str]
"""Priority, arrival, job id: what the heap orders by."""
_Taken = tuple[str, _Entry]
"""An entry with its queue."""


class InMemoryJobQueue:
    """A heap of job ids per queue.

    Messages die with the process; the rows do not. On start every waiting row counts as
    undispatched, and the relay brings it back.
    """

    needs_dispatch = True

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._heaps: dict[str, list[_Entry]] = defaultdict(list)
        self._arrival = itertools.count()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wakeup = Wakeup()
        self._started = False

    async def start(self) -> None:
        if not self._started:
            await self._store.forget_dispatches()
            self._started = True

    async def close(self) -> None:
        self._heaps.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._started = False

    async def dispatch(self, jobs: Sequence[Dispatch]) -> None:
        for job in jobs:
            self._deliver(job)
        self._wakeup.call()

    async def claim(self, terms: ClaimTerms, limit: int) -> Sequence[Delivery]:
        seen = self._wakeup.calls
        taken = self._take(terms.queues, limit)
        if not taken:
            await self._wakeup.wait_beyond(seen, _PATIENCE)
            return []
        try:
            claims = await self._store.claim(terms, [entry[2] for _, entry in taken])
        except BaseException:
            self._put_back(taken)
            raise
        claimed = {claim.job_id for claim in claims}
        await self._settle([item for item in taken if item[1][2] not in claimed])
        return [Delivery(claim) for claim in claims]

    def interrupt(self) -> None:
        self._wakeup.call()

    async def leave(self, terms: ClaimTerms) -> None:
        """Nothing is ever on its way."""

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Nothing to settle: a message is gone once taken, and its outcome is committed."""

    def forget(self, delivery: Delivery) -> None:
        """Nothing is held for it."""

    async def idle_queues(self, queues: Sequence[str]) -> Sequence[str]:
        return [queue for queue in queues if not self._heaps[queue]]

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            claim = delivery.claim
            self._push(claim.queue, claim.priority, claim.job_id)
        self._wakeup.call()

    def _deliver(self, job: Dispatch) -> None:
        """Now, or when its time has come; should the process die first, the row is still there."""
        self._timers.pop(job.job_id, None)
        wait = 0.0 if job.due_at is None else (job.due_at - clock.now()).total_seconds()
        if wait <= -_MARGIN or job.due_at is None:
            self._push(job.queue, job.priority, job.job_id)
            self._wakeup.call()
            return
        loop = asyncio.get_running_loop()
        soon = min(wait + _MARGIN, _LONGEST_TIMER)
        self._timers[job.job_id] = loop.call_later(soon, self._deliver, job)

    def _push(self, queue: str, priority: int, job_id: str) -> None:
        heapq.heappush(self._heaps[queue], (priority, next(self._arrival), job_id))

    def _take(self, queues: Sequence[str], limit: int) -> list[_Taken]:
        taken: list[_Taken] = []
        for queue in queues:
            heap = self._heaps[queue]
            while heap and len(taken) < limit:
                taken.append((queue, heapq.heappop(heap)))
        return taken

    def _put_back(self, taken: Sequence[_Taken]) -> None:
        for queue, entry in taken:
            heapq.heappush(self._heaps[queue], entry)

    async def _settle(self, unclaimed: Sequence[_Taken]) -> None:
        """What still waits for its message, as in a queue that was just paused, keeps it."""
        if not unclaimed:
            return
        try:
            standings = await self._store.standings([entry[2] for _, entry in unclaimed])
        except UnavailableError as error:
            # What was claimed beside them must still be run.
            logger.warning("%d messages are looked at again: %s", len(unclaimed), error)
            self._come_again(unclaimed)
            return
        waits = {job_id for job_id, it in standings.items() if it.status in WAITING}
        self._come_again(
            [
                (queue, entry)
                for queue, entry in unclaimed
                if entry[2] in waits and standings[entry[2]].is_expected
            ]
        )

    def _come_again(self, taken: Sequence[_Taken]) -> None:
        loop = asyncio.get_running_loop()
        for queue, (priority, arrival, job_id) in taken:
            # In their old place; as timers of their own, so that closing ends them.
            self._timers[job_id] = loop.call_later(
                _SOON, self._return, queue, (priority, arrival, job_id)
            )

    def _return(self, queue: str, entry: _Entry) -> None:
        self._timers.pop(entry[2], None)
        heapq.heappush(self._heaps[queue], entry)
        self._wakeup.call()
