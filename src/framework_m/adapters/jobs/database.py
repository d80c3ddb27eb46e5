"""DatabaseJobQueue: the committed rows are the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.adapters.db.notifications import Listener
from framework_m.core.interfaces.job_queue import Delivery
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.job_store import ClaimTerms, Dispatch, JobStore

_SHORTEST_POLL = 0.05


def notify_channel(schema: str | None) -> str:
    """The PostgreSQL channel of one schema's jobs."""
    return f"framework_m_jobs_{schema}" if schema else "framework_m_jobs"


class DatabaseJobQueue:
    """Claims straight from the job store.

    An idle worker is woken by the enqueuing process: in its own process directly, on PostgreSQL
    by NOTIFY. It also polls: every `poll_interval` seconds where notifications arrive; on SQLite,
    where other processes cannot call, from 50 ms after the last find, doubling up to that.
    """

    needs_dispatch = False

    def __init__(self, database: Database, store: JobStore, *, poll_interval: float) -> None:
        self._database = database
        self._store = store
        self._poll_interval = poll_interval
        self._wakeup = Wakeup()
        self._idle_rounds = 0
        self._listener: Listener | None = None

    async def start(self) -> None:
        if self._database.is_postgresql and self._listener is None:
            channel = notify_channel(self._database.schema)
            self._listener = Listener(self._database, channel, lambda _: self._wakeup.call())
            self._listener.start()

    async def close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    async def dispatch(self, jobs: Sequence[Dispatch]) -> None:
        if jobs:
            self._wakeup.call()

    async def claim(self, terms: ClaimTerms, limit: int) -> Sequence[Delivery]:
        seen = self._wakeup.calls
        claims = await self._store.claim_due(terms, limit)
        if claims:
            self._idle_rounds = 0
            return [Delivery(claim) for claim in claims]
        self._idle_rounds += 1
        await self._wakeup.wait_beyond(seen, await self._patience(terms))
        return []

    def interrupt(self) -> None:
        self._wakeup.call()

    async def leave(self, terms: ClaimTerms) -> None:
        """Nothing is ever on its way."""

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Nothing to settle: the row was the message, and its outcome is committed."""

    def forget(self, delivery: Delivery) -> None:
        """Nothing is held for it."""

    async def idle_queues(self, queues: Sequence[str]) -> Sequence[str]:
        """Asked of queues that can lose messages; rows are not lost."""
        return []

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            self._wakeup.call()

    async def _patience(self, terms: ClaimTerms) -> float:
        patience = self._poll_interval
        if not self._database.is_postgresql:
            patience = min(patience, _SHORTEST_POLL * 2 ** min(self._idle_rounds - 1, 20))
        due = await self._store.next_due(terms.queues)
        return patience if due is None else max(0.0, min(patience, due.total_seconds()))
