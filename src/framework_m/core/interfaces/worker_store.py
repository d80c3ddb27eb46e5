"""Port: the records of workers, by which others know of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a worker is from its start to its end."""

    name: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    concurrency: int


@dataclass(frozen=True, slots=True)
class WorkerStanding:
    """A worker, as far as the database knows."""

    facts: WorkerFacts
    memory_bytes: int | None
    started_at: datetime
    seen_at: datetime
    is_draining: bool
    is_lost: bool
    """It was not heard of for so long that it must be dead, or cut off."""
    running: int


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that a worker has in work."""

    job_id: str
    job_name: str
    started_at: datetime


class WorkerStore(Protocol):
    """Keeps a record of each worker. Times are the database's.

    Raises DatabaseUnavailableError (retry later), nothing else.
    """

    async def beat(
        self, worker: WorkerFacts, *, memory_bytes: int | None, lost_after: timedelta
    ) -> bool:
        """Note that it lives, making its record where there is none; whether it is to drain.

        Without another beat it counts as lost after that time.
        """

    async def is_to_drain(self, name: str) -> bool:
        """The same question without a word of its own. False where there is no record."""

    async def leave(self, name: str) -> None:
        """It is no more. Twice is harmless."""

    async def drain(self, names: Collection[str] | None) -> frozenset[str]:
        """Ask these to drain, or all that are not lost; the names of those that were asked."""

    async def find(self, name: str | None = None) -> Sequence[WorkerStanding]:
        """All of them, or the one of that name, by name."""

    async def running(self, name: str, limit: int) -> Sequence[RunningJob]:
        """What this worker has in work, by the rows that it holds; the oldest first."""

    async def forget(self, older_than: timedelta) -> int:
        """Remove those that were not seen for so long; how many."""
