"""Keeps the leases of running jobs, from a thread and a connection of its own (invariant 3).

A job that blocks the event loop, or uses up the connection pool, therefore keeps its lease.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError
from framework_m.core.outage import Outage, pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from framework_m.core.interfaces.job_store import ClaimTerms, JobStore

logger = logging.getLogger(__name__)

OpenStore = "Callable[[], AbstractAsyncContextManager[JobStore]]"


class LeaseKeeper:
    """Renews every held claim three times per lease."""

    def __init__(
        self,
        open_store: Callable[[], AbstractAsyncContextManager[JobStore]],
        terms: ClaimTerms,
        lost: Callable[[frozenset[str]], None],
    ) -> None:
        self._open_store = open_store
        self._terms = terms
        self._lost = lost
        self._held: dict[str, int] = {}
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; `lost` is called in this event loop with the ids whose claim was lost."""
        self._home = asyncio.get_running_loop()
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
        if self._thread is None:
            return
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.to_thread(self._thread.join, 5)

    def _run(self) -> None:
        try:
            asyncio.run(self._keep())
        except Exception:
            logger.exception("the lease thread died; leases will lapse")

    async def _keep(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        outage = Outage("leases")
        async with self._open_store() as store:
            while not self._stop.is_set():
                try:
                    await self._renew(store)
                except UnavailableError as error:
                    await outage.wait(error, self._stop)
                    continue
                outage.over()
                await pause(self._terms.lease.total_seconds() / 3, self._stop)

    async def _renew(self, store: JobStore) -> None:
        with self._guard:
            held = dict(self._held)
        lost = await store.renew(held, self._terms)
        if lost:
            # A run that ended while we asked is not lost: its row simply is no longer Running.
            with self._guard:
                lost = frozenset(i for i in lost if self._held.get(i) == held[i])
        if lost:
            self._home.call_soon_threadsafe(self._lost, lost)
