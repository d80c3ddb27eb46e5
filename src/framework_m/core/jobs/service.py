"""Jobs: enqueue and look up. What an application offers as `app.jobs`."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, overload

from framework_m.core import clock
from framework_m.core.causes import current_cause
from framework_m.core.errors import JobEndedError, JobNotEndedError, JobNotFoundError
from framework_m.core.identity import User, acting_user
from framework_m.core.ids import uuid7
from framework_m.core.interfaces.job_reading import JobCount, JobCursor, JobFilter, JobScope
from framework_m.core.interfaces.job_store import Dispatch, NewJob
from framework_m.core.interfaces.unit_of_work import current_unit_of_work
from framework_m.core.jobs.bulk import (
    BulkOutcome,
    cancelling,
    deleting,
    in_batches,
    meant,
    retrying,
)
from framework_m.core.jobs.function import JobCall, JobRequest
from framework_m.core.jobs.handle import JobHandle
from framework_m.core.jobs.limits import Limits, lined_up
from framework_m.core.jobs.states import JobStatus
from framework_m.core.jobs.unique import unique_lock, unique_lock_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_reading import JobFilters
    from framework_m.core.interfaces.job_store import JobStore, LogLine
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory, UnitOfWorkProtocol
    from framework_m.core.jobs.registry import JobRegistry
    from framework_m.core.outbox.relay import Relay

COUNTED = 10_000
"""How many jobs are counted, unless more is asked for."""

P = ParamSpec("P")
R = TypeVar("R")


class Jobs:
    """The jobs of one application."""

    def __init__(
        self,
        registry: JobRegistry,
        store: JobStore,
        units: UnitOfWorkFactory,
        relay: Relay,
    ) -> None:
        self.registry = registry
        self._store = store
        self._units = units
        self._relay = relay
        self._limits = Limits(registry)

    @overload
    async def enqueue(
        self, job: JobRequest[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> JobHandle[R]: ...
    @overload
    async def enqueue(self, job: str, /, **kwargs: Any) -> JobHandle[Any]: ...
    async def enqueue(
        self, job: JobRequest[..., Any] | str, /, *args: Any, **kwargs: Any
    ) -> JobHandle[Any]:
        """Ask for a run of a job function, or by its name; see `JobRequest.enqueue`.

        Raises UnknownJobError too. With options: `app.jobs.function(name).options(…)`.
        """
        [handle] = await self.enqueue_many([_call(job, args, kwargs)])
        return handle

    async def enqueue_many(self, calls: Iterable[JobCall[R]]) -> Sequence[JobHandle[R]]:
        """Ask for many runs, of any functions, all or none of them."""
        return await self._insert([self.new_job(call) for call in calls])

    async def enqueue_in(
        self,
        unit: UnitOfWorkProtocol,
        job: JobRequest[..., Any] | str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> JobHandle[Any]:
        """Ask for a run in a transaction that is named, whatever the context's is."""
        [handle] = await self.enqueue_many_in(unit, [_call(job, args, kwargs)])
        return handle

    async def enqueue_many_in(
        self, unit: UnitOfWorkProtocol, calls: Iterable[JobCall[R]]
    ) -> Sequence[JobHandle[R]]:
        """The same for many runs."""
        return await self.insert_in(unit, [self.new_job(call) for call in calls])

    async def enqueue_as(self, call: JobCall[Any], job_id: str) -> JobHandle[Any]:
        """Ask for a run under an id that was chosen elsewhere."""
        [handle] = await self._insert([self.new_job(call, job_id)])
        return handle

    def function(self, name: str) -> JobRequest[..., Any]:
        """The job function of that name, to be asked for in this application.

        Raises UnknownJobError.
        """
        return self.registry.get(name).function

    def handle(self, job_id: str) -> JobHandle[Any]:
        """A handle of a job whose id was kept. Asks for nothing yet."""
        return JobHandle.of(job_id, self)

    async def get(self, job_id: str) -> JobLog | None:
        """The record of one job; None if there is none."""
        return await self._store.get(job_id)

    async def list(
        self,
        *,
        limit: int = 50,
        before: JobCursor | None = None,
        **filters: Unpack[JobFilters],
    ) -> Sequence[JobLog]:
        """Records, newest first: what was asked for last, and of one moment the greatest id.

        before: where the previous page ended, `JobCursor.of(page[-1])`.
        since, until: aware times of asking, the first of them included. Raises FilterError.
        """
        wanted = JobFilter(**filters, limit=limit, before=before)
        return await self._store.list(wanted.checked())

    async def count(self, *, up_to: int = COUNTED, **filters: Unpack[JobFilters]) -> JobCount:
        """How many there are: exact up to a bound, else at least so many. Raises FilterError."""
        return await self._store.count(JobFilter(**filters, limit=up_to).checked())

    async def lines(
        self, job_id: str, *, after: LogLine | None = None, limit: int = 1000
    ) -> Sequence[LogLine]:
        """What a job's runs said, oldest first; `after` is the line that ended the last page."""
        position = None if after is None else (after.claim_no, after.number)
        return await self._store.lines(job_id, after=position, limit=limit)

    async def cancel(self, job_id: str) -> JobStatus:
        """End a job that waits: it is Cancelled; ask one that runs to stop: it is Running still.

        Its worker hears of it within a second. A coroutine is cancelled where it awaits, a process
        is killed, a function in a thread has to ask (`ctx.check_cancelled()`). Whatever then
        becomes of the run, the job does not run again; if it succeeds all the same, it did.

        In the transaction of the context, if there is one. Raises JobNotFoundError, JobEndedError.
        """
        async with self._unit() as unit:
            cancelled = await self._store.cancel(unit, [job_id])
        if job_id in cancelled.ended:
            raise JobEndedError(job_id, cancelled.ended[job_id])
        if job_id in cancelled.asked:
            return JobStatus.RUNNING
        if job_id not in cancelled.waited:
            raise JobNotFoundError(job_id)
        return JobStatus.CANCELLED

    async def delete(self, job_id: str) -> None:
        """Cancel a job and remove its record with all that it said.

        In the transaction of the context, if there is one. Raises JobNotFoundError.
        """
        async with self._unit() as unit:
            if not await self._store.delete(unit, [job_id]):
                raise JobNotFoundError(job_id)

    async def cancel_many(
        self,
        *,
        everything: bool = False,
        limit: int | None = None,
        before: JobCursor | None = None,
        **filters: Unpack[JobFilters],
    ) -> BulkOutcome:
        """Cancel all jobs that fit and have not ended, newest first, as `cancel` does one.

        They are done some hundred at a time, each time in a transaction of its own, so that none
        is long; all in the transaction of the context, if there is one. What is asked for
        meanwhile is not among them.

        everything: has to be said where there is no filter.
        limit: so many at most; the outcome tells where to go on: `before=outcome.next`.
        Raises FilterError. What an error (DatabaseUnavailableError) leaves, another call does.
        """
        wanted = meant(JobFilter(**filters, before=before), limit, everything=everything)
        act = cancelling(self._store)
        return await in_batches(self._store, self._unit, wanted, JobScope.OPEN, act)

    async def retry_many(
        self,
        *,
        everything: bool = False,
        limit: int | None = None,
        before: JobCursor | None = None,
        may_run: Callable[[str], object] | None = None,
        **filters: Unpack[JobFilters],
    ) -> BulkOutcome:
        """Run all jobs again that fit, have ended and were not yet run again; as `cancel_many`.

        So it may be repeated: what it did is not done twice.

        may_run: called with a job's name; raises a JobError if that is not to be asked for.
        """
        wanted = meant(JobFilter(**filters, before=before), limit, everything=everything)

        def again(job: JobLog) -> NewJob:
            if may_run is not None:
                may_run(job.job_name)
            return self._again(job)

        act = retrying(self._store, again, self.insert_in)
        return await in_batches(self._store, self._unit, wanted, JobScope.RETRYABLE, act)

    async def delete_many(
        self,
        *,
        everything: bool = False,
        limit: int | None = None,
        before: JobCursor | None = None,
        **filters: Unpack[JobFilters],
    ) -> BulkOutcome:
        """Delete all jobs that fit, as `delete` does one; otherwise as `cancel_many`."""
        wanted = meant(JobFilter(**filters, before=before), limit, everything=everything)
        act = deleting(self._store)
        return await in_batches(self._store, self._unit, wanted, JobScope.ANY, act)

    async def retry(self, job_id: str) -> JobHandle[Any]:
        """Run a finished job again, as a new job with the same arguments; `retry_of` tells which.

        It acts for the same user, with today's roles if that is who asks. Raises
        JobNotFoundError, JobNotEndedError, UnknownJobError, ArgumentError (they fit no more).
        """
        job = await self.handle(job_id).record()
        if not job.status.is_terminal:
            raise JobNotEndedError(job_id, job.status)
        [handle] = await self._insert([self._again(job)])
        return handle

    def load_result(self, job: JobLog) -> Any:
        """The stored result in the function's own return type, if the function is known here."""
        known = self.registry.find(job.job_name)
        return known.arguments.load_result(job.result) if known else job.result

    def new_job(self, call: JobCall[Any], job_id: str | None = None) -> NewJob:
        """What a call asks for, checked, and not asked for yet.

        Raises UnknownJobError, ArgumentError.
        """
        job = self.registry.get(call.job_name)
        args = job.arguments.dump(job.arguments.bind(call.args, call.kwargs))
        options, cause, own_id = call.options, current_cause(), job_id or uuid7()
        priority = options.priority
        correlation = options.correlation_id or cause.correlation_id or own_id
        return NewJob(
            job_id=own_id,
            job_name=job.name,
            queue=options.queue or job.queue,
            args=args,
            priority=job.function.defaults.priority if priority is None else priority,
            gates=self._limits.keyed(job.name, args),
            unique=unique_lock(
                job.name,
                job.function.defaults.unique,
                options.unique_key,
                job.arguments,
                args,
                of_user=options.unique_to,
            ),
            max_attempts=job.max_attempts if options.retries is None else options.retries + 1,
            user=acting_user(),
            cause=replace(cause, correlation_id=correlation),
            tags=options.tags,
            delay=options.delay or None,  # none at all is no delay
            due_at=options.due_at,
        )

    def _again(self, job: JobLog) -> NewJob:
        known = self.registry.get(job.job_name)
        args = known.arguments.dump(known.arguments.load(json.dumps(job.args)))
        user, cause = acting_user(), current_cause()
        if user is None or user.id != job.user_id:
            user = None if job.user_id is None else User(job.user_id, frozenset(job.user_roles))
        return NewJob(
            job_id=uuid7(),
            job_name=job.job_name,
            queue=job.queue,
            args=args,
            max_attempts=job.max_attempts,
            priority=job.priority,
            user=user,
            cause=replace(cause, correlation_id=job.correlation_id),
            tags=job.tags,
            retry_of=job.job_id,
            schedule=job.schedule,
            due_time=job.due_at,
            gates=self._limits.keyed(job.job_name, args),
            unique=unique_lock_of(job.unique_key, known.function.defaults.unique),
        )

    @contextlib.asynccontextmanager
    async def _unit(self) -> AsyncIterator[UnitOfWorkProtocol]:
        """The transaction of the context, or one of its own."""
        unit = current_unit_of_work()
        if unit is not None:
            yield unit
        else:
            async with self._units() as own:
                yield own

    async def _insert(self, jobs: Sequence[NewJob]) -> Sequence[JobHandle[Any]]:
        if not jobs:
            return []
        async with self._unit() as unit:
            return await self.insert_in(unit, jobs)

    async def insert_in(
        self, unit: UnitOfWorkProtocol, jobs: Sequence[NewJob]
    ) -> Sequence[JobHandle[Any]]:
        """Ask for jobs of `new_job`, in this transaction."""
        if not jobs:
            return []
        jobs = lined_up(jobs, self._limits)
        ids = await self._store.insert(unit, jobs)
        asked = list(zip(jobs, ids, strict=True))
        new = [job for job, there in asked if there == job.job_id]
        told = [_dispatch(job) for job in new if job.blocked_on is None]
        unit.after_commit(lambda: self._relay.publish(told))
        return [JobHandle.of(there, self, existed=there != job.job_id) for job, there in asked]


def _call(
    job: JobRequest[..., Any] | str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> JobCall[Any]:
    return JobCall(job, args, kwargs) if isinstance(job, str) else job.call(*args, **kwargs)


def _dispatch(job: NewJob) -> Dispatch:
    due_at = job.due_at
    if job.delay is not None:
        due_at = clock.now() + job.delay
    return Dispatch(job.job_id, job.job_name, job.queue, job.priority, due_at=due_at)
