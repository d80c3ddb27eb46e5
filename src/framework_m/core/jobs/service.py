"""Jobs: enqueue and look up. What an application offers as `app.jobs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework_m.core.ids import uuid7
from framework_m.core.interfaces.job_store import Dispatch, JobFilter, NewJob
from framework_m.core.interfaces.unit_of_work import current_unit_of_work
from framework_m.core.jobs.handle import JobHandle
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_store import JobStore
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory, UnitOfWorkProtocol
    from framework_m.core.jobs.decorator import JobFunction
    from framework_m.core.jobs.registry import JobRegistry, RegisteredJob
    from framework_m.core.outbox.relay import Relay


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

    async def enqueue(self, job_name: str, /, **kwargs: Any) -> JobHandle[Any]:
        """Ask for a run by name; see `JobFunction.enqueue`. Raises UnknownJobError too."""
        return await self._enqueue(self.registry.get(job_name), kwargs)

    async def submit(
        self, function: JobFunction[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> JobHandle[Any]:
        """Ask for a run of a function of this application."""
        job = self.registry.get(function.name)
        return await self._enqueue(job, job.arguments.bind(args, kwargs))

    async def enqueue_in(
        self,
        unit: UnitOfWorkProtocol,
        job: JobFunction[..., Any] | str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> JobHandle[Any]:
        """Ask for a run in a transaction that is named, whatever the context's is."""
        found = self.registry.get(job if isinstance(job, str) else job.name)
        new = self._new(found, found.arguments.bind(args, kwargs))
        await self._insert_in(unit, [new])
        return JobHandle.of(new.job_id, self)

    async def enqueue_as(
        self, job_name: str, args: Sequence[Any], kwargs: Mapping[str, Any], job_id: str
    ) -> JobHandle[Any]:
        """Ask for a run by name under an id that was chosen elsewhere."""
        job = self.registry.get(job_name)
        return await self._enqueue(job, job.arguments.bind(tuple(args), kwargs), job_id)

    async def get(self, job_id: str) -> JobLog | None:
        """The record of one job; None if there is none."""
        return await self._store.get(job_id)

    async def list(
        self,
        *,
        status: JobStatus | None = None,
        job_name: str | None = None,
        queue: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> Sequence[JobLog]:
        """Records, newest first; `before` is the id that ended the previous page."""
        return await self._store.list(JobFilter(status, job_name, queue, limit, before))

    def load_result(self, job: JobLog) -> Any:
        """The stored result in the function's own return type, if the function is known here."""
        known = self.registry.find(job.job_name)
        return known.arguments.load_result(job.result) if known else job.result

    async def _enqueue(
        self, job: RegisteredJob, values: Mapping[str, Any], job_id: str | None = None
    ) -> JobHandle[Any]:
        new = self._new(job, values, job_id)
        await self._insert([new])
        return JobHandle.of(new.job_id, self)

    def _new(
        self, job: RegisteredJob, values: Mapping[str, Any], job_id: str | None = None
    ) -> NewJob:
        return NewJob(
            job_id=job_id or uuid7(),
            job_name=job.name,
            queue=job.queue,
            args=job.arguments.dump(values),
            max_attempts=job.max_attempts,
        )

    async def _insert(self, jobs: Sequence[NewJob]) -> None:
        unit = current_unit_of_work()
        if unit is not None:
            await self._insert_in(unit, jobs)
            return
        async with self._units() as own:
            await self._insert_in(own, jobs)

    async def _insert_in(self, unit: UnitOfWorkProtocol, jobs: Sequence[NewJob]) -> None:
        await self._store.insert(unit, jobs)
        told = [
            Dispatch(job.job_id, job.job_name, job.queue, job.priority, due_at=job.due_at)
            for job in jobs
        ]
        unit.after_commit(lambda: self._relay.publish(told))
