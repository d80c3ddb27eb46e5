"""Keeps the leases of running jobs, from a thread and a connection of its own (invariant 3).

A job that blocks the event loop, or uses up the connection pool, therefore keeps its lease.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError
from framework_m.core.interfaces.job_store import Watched
from framework_m.core.outage import Outage, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from framework_m.core.interfaces.job_store import ClaimTerms, JobStore

logger = logging.getLogger(__name__)

_AT_A_TIME = 2000
_CLOSE_TIMEOUT = 5.0
_AFTER_ERROR = 0.5
_LOOK_EVERY = 0.4
"""Seconds: who cancels a running job waits no longer than a second for it to stop."""


class LeaseKeeper:
    """Renews every held claim three times per lease, and looks whether its run is wanted."""

    def __init__(
        self,
        open_store: Callable[[], AbstractAsyncContextManager[JobStore]],
        terms: ClaimTerms,
        noticed: Callable[[Watched], None],
    ) -> None:
        self._open_store = open_store
        self._terms = terms
        self._noticed = noticed
        self._held: dict[str, int] = {}
        self._guard = threading.Lock()
        self._closing = False
        self._stop: Callable[[], object] | None = None
        self._thread: threading.Thread | None = None
        self._home = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin; `noticed` is called in this event loop with what is not as it should be.

        Again and again, for as long as it is.
        """
        self._thread = threading.Thread(target=self._run, name="job-leases", daemon=True)
        self._thread.start()

    def hold(self, job_id: str, claim_no: int) -> None:
        with self._guard:
            self._held[job_id] = claim_no

    def drop(self, job_id: str, claim_no: int) -> None:
        """Stop renewing this claim; a later claim of the same job is not touched."""
        with self._guard:
            if self._held.get(job_id) == claim_no:
                del self._held[job_id]

    async def close(self) -> None:
        with self._guard:
            self._closing = True
            if self._stop is not None:
                self._stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, _CLOSE_TIMEOUT)

    def _run(self) -> None:
        while not self._closing:
            try:
                asyncio.run(self._keep())
            except Exception:
                logger.exception("renewing leases failed; trying again")
                time.sleep(_AFTER_ERROR)

    async def _keep(self) -> None:
        stop = self._stopped_by_close()
        outage = Outage("leases")
        try:
            async with self._open_store() as store:
                while not stop.is_set():
                    await self._renew_or_wait(store, outage, stop)
        finally:
            self._loop_ends()

    async def _renew_or_wait(self, store: JobStore, outage: Outage, stop: asyncio.Event) -> None:
        try:
            await self._renew(store)
            outage.over()
            await self._watch(store, self._terms.lease.total_seconds() / 3, stop)
        except UnavailableError as error:
            await outage.wait(error, stop)

    async def _watch(self, store: JobStore, seconds: float, stop: asyncio.Event) -> None:
        """For so long, look whether what runs is still wanted. Nothing runs, nothing is asked."""
        until = time.monotonic() + seconds
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            await pause(min(left, _LOOK_EVERY), stop)
            for held in some_at_a_time(self._holding()):
                if not stop.is_set():
                    self._tell(held, await store.watch(held))

    def _tell(self, held: Mapping[str, int], seen: Watched) -> None:
        """In the worker's own event loop; of no run that has ended while we asked."""
        now = self._holding()
        still = {job_id for job_id, claim_no in held.items() if now.get(job_id) == claim_no}
        told = Watched(seen.cancelled & still, seen.deleted & still, seen.lost & still)
        if told.cancelled or told.deleted or told.lost:
            self._home.call_soon_threadsafe(self._noticed, told)

    def _holding(self) -> dict[str, int]:
        with self._guard:
            return dict(self._held)

    def _stopped_by_close(self) -> asyncio.Event:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        with self._guard:
            self._stop = lambda: loop.call_soon_threadsafe(stop.set)
            if self._closing:
                stop.set()
        return stop

    def _loop_ends(self) -> None:
        with self._guard:
            self._stop = None

    async def _renew(self, store: JobStore) -> None:
        for held in some_at_a_time(self._holding()):
            lost = await store.renew(held, self._terms)
            self._tell(held, Watched(frozenset(), frozenset(), lost))


def some_at_a_time(held: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """A statement takes some ten thousand parameters, and no more."""
    left = iter(held.items())
    while some := dict(itertools.islice(left, _AT_A_TIME)):
        yield some
