"""JobHandle: the id of a job that was enqueued, and a way to ask after it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, cast

from framework_m.core.errors import JobFailedError, JobNotFoundError
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from framework_m.core.doctypes.job_log import JobLog

R = TypeVar("R")

_FIRST_LOOK = 0.01
_SLOWEST_LOOK = 0.5


class JobSource(Protocol):
    """Where a handle looks."""

    async def get(self, job_id: str) -> JobLog | None: ...

    def load_result(self, job: JobLog) -> Any: ...

    async def cancel(self, job_id: str) -> JobStatus: ...

    async def retry(self, job_id: str) -> JobHandle[Any]: ...


class JobHandle(str, Generic[R]):
    """A job id (it is a `str`) that can ask for the job's status and result."""

    __slots__ = ("_source", "existed")
    _source: JobSource
    existed: bool
    """It was there before: what was asked for is the same unique job."""

    @classmethod
    def of(cls, job_id: str, source: JobSource, *, existed: bool = False) -> Self:
        handle = cls(job_id)
        handle.existed = existed
        handle._source = source
        return handle

    @property
    def job_id(self) -> str:
        return str(self)

    async def record(self) -> JobLog:
        """The job as it stands. Raises JobNotFoundError once it was deleted."""
        found = await self._source.get(self.job_id)
        if found is None:
            raise JobNotFoundError(self.job_id)
        return found

    async def status(self) -> JobStatus:
        """Where the job stands."""
        return (await self.record()).status

    async def cancel(self) -> JobStatus:
        """Cancel it: `app.jobs.cancel`. Raises JobNotFoundError, JobEndedError."""
        return await self._source.cancel(self.job_id)

    async def retry(self) -> JobHandle[R]:
        """Run it again: `app.jobs.retry`. Raises JobNotFoundError, JobNotEndedError."""
        return await self._source.retry(self.job_id)

    async def result(self, timeout: float | None = None) -> R:
        """Wait for the job to end and return what it returned.

        timeout: seconds; None waits for as long as it takes.
        Raises: JobFailedError (failed or cancelled), TimeoutError, JobNotFoundError.
        """
        async with asyncio.timeout(timeout):
            job = await self._ended()
        if job.status is not JobStatus.SUCCESS:
            raise JobFailedError(job.job_id, job.status, job.error)
        return cast("R", self._source.load_result(job))

    async def _ended(self) -> JobLog:
        wait = _FIRST_LOOK
        while not (job := await self.record()).status.is_terminal:
            await asyncio.sleep(wait)
            wait = min(_SLOWEST_LOOK, wait * 2)
        return job
