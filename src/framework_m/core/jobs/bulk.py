"""Bulk: many jobs cancelled, run again or deleted by one request, some at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from framework_m.core.errors import FilterError, JobEndedError, JobError
from framework_m.core.interfaces.job_reading import JobCursor, JobFilter, JobReading, JobScope
from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

if TYPE_CHECKING:
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_store import JobStore, NewJob
    from framework_m.core.jobs.handle import JobHandle

_BATCH = 200
"""Jobs of one transaction: it holds their rows, and on SQLite everybody's turn to write."""
_MOST_REASONS = 100
_NO_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Refused:
    """A job with which it could not be done."""

    job_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What came of a request that concerns many jobs."""

    matched: int = 0
    """Jobs that fitted."""
    done: int = 0
    refused: tuple[Refused, ...] = ()
    """Why others were left as they are; the first hundred of them."""
    next: JobCursor | None = None
    """Where to go on; None if there is nothing left."""

    def plus(self, other: BulkOutcome) -> BulkOutcome:
        """Both, one after the other."""
        refused = (*self.refused, *other.refused)[:_MOST_REASONS]
        return BulkOutcome(
            self.matched + other.matched, self.done + other.done, refused, other.next
        )


Act = Callable[[UnitOfWorkProtocol, Sequence[str]], Awaitable[BulkOutcome]]
Insert = Callable[[UnitOfWorkProtocol, Sequence["NewJob"]], Awaitable[Sequence["JobHandle[Any]"]]]
OpenUnit = Callable[[], AbstractAsyncContextManager[UnitOfWorkProtocol]]


def meant(wanted: JobFilter, limit: int | None, *, everything: bool) -> JobFilter:
    """Which jobs. Raises FilterError, also if that is all there are and nobody has said so."""
    if not everything and not wanted.names_some:
        raise FilterError("all", "name a filter, or say that all jobs are meant")
    return replace(wanted, limit=_NO_LIMIT if limit is None else limit).checked()


async def in_batches(
    jobs: JobReading, unit: OpenUnit, wanted: JobFilter, scope: JobScope, act: Act
) -> BulkOutcome:
    """Act on them, newest first. What is asked for meanwhile comes before the first: never seen."""
    total = BulkOutcome(next=wanted.before)
    while total.matched < wanted.limit:
        size = min(_BATCH, wanted.limit - total.matched)
        async with unit() as transaction:
            batch = replace(wanted, limit=size, before=total.next)
            found = await jobs.pick(transaction, batch, scope)
            done = await act(transaction, [it.job_id for it in found]) if found else BulkOutcome()
        total = total.plus(replace(done, next=found[-1] if len(found) == size else None))
        if total.next is None:
            break
    return total


def cancelling(store: JobStore) -> Act:
    async def act(unit: UnitOfWorkProtocol, job_ids: Sequence[str]) -> BulkOutcome:
        cancelled = await store.cancel(unit, job_ids)
        ended = [Refused(it, str(JobEndedError(it, now))) for it, now in cancelled.ended.items()]
        done = len(cancelled.waited) + len(cancelled.asked)
        return BulkOutcome(len(job_ids), done, tuple(ended))

    return act


def deleting(store: JobStore) -> Act:
    async def act(unit: UnitOfWorkProtocol, job_ids: Sequence[str]) -> BulkOutcome:
        return BulkOutcome(len(job_ids), len(await store.delete(unit, job_ids)))

    return act


def retrying(store: JobStore, again: Callable[[JobLog], NewJob], insert: Insert) -> Act:
    """again: the new job; raises JobError if there can be none."""

    async def act(unit: UnitOfWorkProtocol, job_ids: Sequence[str]) -> BulkOutcome:
        found = {job.job_id: job for job in await store.to_retry(unit, job_ids)}
        refused = [Refused(it, "has been run again already") for it in job_ids if it not in found]
        new: list[NewJob] = []
        for job_id in reversed([it for it in job_ids if it in found]):  # the oldest goes first
            try:
                new.append(again(found[job_id]))
            except JobError as error:
                refused.append(Refused(job_id, str(error)))
        for job, handle in zip(new, await insert(unit, new), strict=True):
            if handle.existed and job.retry_of is not None:
                refused.append(Refused(job.retry_of, f"is there already, as job {handle}"))
        return BulkOutcome(len(job_ids), len(job_ids) - len(refused), tuple(refused))

    return act
