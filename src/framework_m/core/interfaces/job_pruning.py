"""Port: jobs that ended long ago, and their removal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta

    from framework_m.core.jobs.states import JobStatus


@dataclass(frozen=True, slots=True)
class OldJob:
    """A job in a final state that was enqueued long ago."""

    job_id: str
    enqueued_at: datetime
    is_removable: bool
    """False if it ended later than that, or still keeps other jobs of its unique key out."""
    lines: int = 0
    """How many it has said, where it is removable: they go with it."""


class JobPruning(Protocol):
    """Finds ended jobs by status and age, and removes them.

    Ages are by the database's clock. Raises DatabaseUnavailableError (try again), nothing else.
    """

    async def find_old(
        self,
        status: JobStatus,
        *,
        older_than: timedelta,
        limit: int,
        after: OldJob | None = None,
    ) -> Sequence[OldJob]:
        """The next jobs of this final status that were enqueued that long ago, oldest first.

        Beyond the job `after`; at most `limit`, however many have to stay: so much is read, and
        no more. Nobody waits for it.
        """

    async def remove_old(
        self, status: JobStatus, *, older_than: timedelta, job_ids: Collection[str]
    ) -> int:
        """Remove those of these that ended that long ago, with all that is kept of them; how many.

        One transaction. Whoever changed meanwhile stays, and so does who keeps others out. On
        PostgreSQL rows that somebody else holds are left for the next time: it waits for nobody.
        """
