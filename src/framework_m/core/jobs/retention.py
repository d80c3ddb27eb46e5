"""Retention: old records go, in small transactions with pauses between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from framework_m.core import clock
from framework_m.core.errors import ConfigurationError
from framework_m.core.interfaces.unit_of_work import current_unit_of_work
from framework_m.core.jobs.keeping import age_of, checked_days

if TYPE_CHECKING:
    from datetime import timedelta

    from framework_m.core.interfaces.job_pruning import JobPruning, OldJob
    from framework_m.core.interfaces.replays import Asked, ReplayStore
    from framework_m.core.interfaces.schedule_store import ScheduleStore
    from framework_m.core.jobs.keeping import KeepDays
    from framework_m.core.jobs.states import JobStatus

REQUESTS = "requests"
"""In the counts: remembered requests, beside the jobs' states."""
DUE_TIMES = "due_times"
"""Likewise: what is told of schedules' due times."""

_AT_ONCE = 500
"""Rows that one transaction removes, a job's lines among them; a single job may have more."""
_PAUSE = 4
"""Times as long as a batch took."""
_SHORTEST_PAUSE = 0.01


@dataclass(slots=True)
class Pruned:
    """How far it is."""

    removed: dict[str, int] = field(default_factory=dict)
    """By status of the jobs, `requests` and `due_times`."""
    share: float = 0.0
    """Of the whole, from 0 to 1: by the times that were looked at, which is a guess."""

    def __str__(self) -> str:
        told = ", ".join(f"{count} {what}" for what, count in self.removed.items() if count)
        return f"removed {told or 'nothing'}"


Tell = Callable[[Pruned], None]


class Retention:
    """What is old goes: ended jobs, requests that are remembered no longer, past due times.

    keep: how long jobs of each final state are kept after they have ended.
    keep_due_times: how long it is kept what became of schedules' due times.
    """

    def __init__(
        self,
        jobs: JobPruning,
        replays: ReplayStore,
        schedules: ScheduleStore,
        keep: Mapping[JobStatus, KeepDays],
        keep_due_times: KeepDays,
    ) -> None:
        self._jobs = jobs
        self._replays = replays
        self._schedules = schedules
        self._keep = keep
        self._keep_due_times = keep_due_times

    async def prune(
        self, keep: Mapping[JobStatus, KeepDays] | None = None, *, tell: Tell = lambda _: None
    ) -> Pruned:
        """Remove what is old, until nothing is left that was when it began.

        Each batch commits by itself and is followed by a pause of four times as long, so that it
        is at work a fifth of the time; interrupted, it loses nothing. Twice at once is harmless.

        keep: instead of what the settings say, for this once.
        tell: called after each batch; what it raises ends it.
        Raises UnavailableError; ConfigurationError for what makes no sense, and inside a
            transaction.
        """
        if current_unit_of_work() is not None:
            raise ConfigurationError("prune outside of transactions: it makes many of its own")
        kept = {**self._keep, **_checked(keep or {})}
        ages = {status: age for status, days in kept.items() if (age := age_of(days)) is not None}
        pruned = Pruned({**{status.value: 0 for status in kept}, REQUESTS: 0, DUE_TIMES: 0})
        for nth, (status, age) in enumerate(ages.items()):
            async for found, share in self._old(status, age):
                await self._remove(status, age, found, pruned, tell)
                pruned.share = (nth + share) / len(ages)
                tell(pruned)
        await self._prune_requests(pruned, tell)
        await self._prune_due_times(pruned, tell)
        pruned.share = 1.0
        tell(pruned)
        return pruned

    async def _old(
        self, status: JobStatus, age: timedelta
    ) -> AsyncIterator[tuple[Sequence[OldJob], float]]:
        """All of this status and age, some at a time, and how far that has come."""
        until = clock.now() - age
        first: OldJob | None = None
        last: OldJob | None = None
        while found := await self._jobs.find_old(
            status, older_than=age, limit=_AT_ONCE, after=last
        ):
            first, last = first or found[0], found[-1]
            yield found, _share(first.enqueued_at, last.enqueued_at, until)
            if len(found) < _AT_ONCE:
                return

    async def _remove(
        self,
        status: JobStatus,
        age: timedelta,
        found: Sequence[OldJob],
        pruned: Pruned,
        tell: Tell,
    ) -> None:
        for job_ids in batches(found, _AT_ONCE):
            began = time.monotonic()
            removed = await self._jobs.remove_old(status, older_than=age, job_ids=job_ids)
            pruned.removed[status.value] += removed
            tell(pruned)
            await _pause(time.monotonic() - began)

    async def _prune_requests(self, pruned: Pruned, tell: Tell) -> None:
        last: Asked | None = None
        while True:
            began = time.monotonic()
            removed, last = await self._replays.forget_expired(_AT_ONCE, after=last)
            pruned.removed[REQUESTS] += removed
            tell(pruned)
            if last is None:
                return
            if removed:
                await _pause(time.monotonic() - began)

    async def _prune_due_times(self, pruned: Pruned, tell: Tell) -> None:
        age = age_of(self._keep_due_times)
        while age is not None:
            began = time.monotonic()
            removed = await self._schedules.forget(age, _AT_ONCE)
            pruned.removed[DUE_TIMES] += removed
            tell(pruned)
            if removed < _AT_ONCE:
                return
            await _pause(time.monotonic() - began)


def batches(jobs: Sequence[OldJob], rows: int) -> Iterator[Sequence[str]]:
    """The removable ones, so many together that they and their lines are no more than `rows`.

    One that has more by itself comes alone.
    """
    batch: list[str] = []
    size = 0
    for job in jobs:
        if not job.is_removable:
            continue
        if batch and size + 1 + job.lines > rows:
            yield batch
            batch, size = [], 0
        batch.append(job.job_id)
        size += 1 + job.lines
    if batch:
        yield batch


def _checked(keep: Mapping[JobStatus, KeepDays]) -> Mapping[JobStatus, KeepDays]:
    for status, days in keep.items():
        if not status.is_terminal:
            raise ConfigurationError(f"jobs that are {status} have not ended, and are kept")
        try:
            checked_days(days)
        except ValueError as error:
            raise ConfigurationError(f"how long {status} jobs are kept {error}") from error
    return keep


def _share(first: datetime, at: datetime, until: datetime) -> float:
    whole = (until - first).total_seconds()
    return min(1.0, (at - first).total_seconds() / whole) if whole > 0 else 1.0


async def _pause(took: float) -> None:
    """The longer, the busier the database is."""
    await asyncio.sleep(max(_SHORTEST_PAUSE, _PAUSE * took))
