"""Workers: see who works, and send them home. What an application has as `app.workers`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from framework_m.core.doctypes.worker import WorkerInfo, WorkersJob, WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.worker_store import WorkerStanding, WorkerStore

_MOST_JOBS = 1000


class Workers:
    """The workers of one application, in all processes that share its database."""

    def __init__(self, store: WorkerStore) -> None:
        self._store = store

    async def list(self) -> Sequence[WorkerInfo]:
        """By name. One that died is there as `lost` for a day."""
        return [_info(found) for found in await self._store.find()]

    async def get(self, name: str) -> WorkerInfo | None:
        """One of them, with what it runs; None if there is none of this name."""
        found = await self._store.find(name)
        if not found:
            return None
        running = await self._store.running(name, _MOST_JOBS)
        jobs = tuple(WorkersJob(**asdict(job)) for job in running)
        return _info(found[0]).model_copy(update={"jobs": jobs})

    async def drain(self, name: str) -> bool:
        """Ask a worker to begin nothing more and to end after what it runs; False if unknown.

        It hears of it within about a second. Jobs may take as long as they take; SIGTERM
        ends it sooner, as ever. Asking twice is harmless, and it cannot be taken back.
        """
        return bool(await self._store.drain([name]))

    async def drain_all(self) -> frozenset[str]:
        """Ask every worker there is now; their names. Those that start later are not meant."""
        return await self._store.drain(None)

    async def listening_to(self, queue: str) -> bool:
        """Whether a worker lives that would begin a job of this queue, as far as is known."""
        return any(
            queue in worker.queues
            for worker in await self.list()
            if worker.status is WorkerStatus.RUNNING
        )


def _info(found: WorkerStanding) -> WorkerInfo:
    facts = found.facts
    return WorkerInfo(
        name=facts.name,
        host=facts.host,
        pid=facts.pid,
        version=facts.version,
        status=_status(found),
        queues=facts.queues,
        concurrency=facts.concurrency,
        running=found.running,
        memory_bytes=found.memory_bytes,
        started_at=found.started_at,
        last_seen=found.seen_at,
    )


def _status(found: WorkerStanding) -> WorkerStatus:
    if found.is_lost:
        return WorkerStatus.LOST
    return WorkerStatus.DRAINING if found.is_draining else WorkerStatus.RUNNING
