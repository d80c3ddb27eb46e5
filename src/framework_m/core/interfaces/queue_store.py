"""Port: what the database knows of queues as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import timedelta


@dataclass(frozen=True, slots=True)
class QueueRule:
    """What a Queue record says."""

    name: str
    paused: bool
    concurrency: int | None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """The jobs of one queue. `finished` and `failed` are of the last minute."""

    waiting: int = 0
    scheduled: int = 0
    blocked: int = 0
    running: int = 0
    finished: int = 0
    failed: int = 0
    oldest_waiting: timedelta | None = None


class QueueStore(Protocol):
    """Reads the Queue records and counts jobs. Raises UnavailableError, nothing else."""

    async def rules(self) -> Sequence[QueueRule]:
        """Of every queue that has a record, as they are committed now."""

    async def counts(
        self, queues: Collection[str], *, only: bool = False
    ) -> Mapping[str, QueueCounts]:
        """Of these queues, and, unless `only`, of every other that has a job which has not ended.

        Those without any job to count are left out.
        """
