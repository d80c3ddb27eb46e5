"""Results, as taskiq asks for them: read from the jobs' records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from taskiq.abc.result_backend import AsyncResultBackend
from taskiq.depends.progress_tracker import TaskProgress, TaskState
from taskiq.result import TaskiqResult

from framework_m.adapters.jobs.running import report_progress
from framework_m.core.errors import JobFailedError, JobNotEndedError
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.jobs.service import Jobs

_STATES = {
    JobStatus.RUNNING: TaskState.STARTED,
    JobStatus.RETRYING: TaskState.RETRY,
    JobStatus.SUCCESS: TaskState.SUCCESS,
    JobStatus.FAILED: TaskState.FAILURE,
    JobStatus.CANCELLED: TaskState.FAILURE,
}
_MOST_LINES = 10_000


class JobResults(AsyncResultBackend[Any]):
    """The record is the result: there is nothing to set."""

    def __init__(self, jobs: Callable[[], Jobs]) -> None:
        self._jobs = jobs

    async def set_result(self, task_id: str, result: TaskiqResult[Any]) -> None:
        """The worker has recorded it."""

    async def is_result_ready(self, task_id: str) -> bool:
        """Raises JobNotFoundError, DatabaseUnavailableError, ConfigurationError (not open)."""
        return (await self._record(task_id)).status.is_terminal

    async def get_result(self, task_id: str, with_logs: bool = False) -> TaskiqResult[Any]:
        """Of a job that failed or was cancelled: a JobFailedError. Raises JobNotEndedError too."""
        job = await self._record(task_id)
        if not job.status.is_terminal:
            raise JobNotEndedError(task_id, job.status)
        failed = job.status is not JobStatus.SUCCESS
        return TaskiqResult(
            is_err=failed,
            return_value=None if failed else self._jobs().load_result(job),
            execution_time=job.duration_seconds or 0.0,
            error=JobFailedError(task_id, job.status, job.error) if failed else None,
            log=await self._lines(task_id) if with_logs else None,
        )

    async def set_progress(self, task_id: str, progress: TaskProgress[Any]) -> None:
        """Its `meta` becomes the message of the running job's progress; its state is not kept."""
        report_progress(task_id, _percent(progress.meta), _message(progress))

    async def get_progress(self, task_id: str) -> TaskProgress[Any] | None:
        """None before the job has begun."""
        job = await self._record(task_id)
        state = _STATES.get(job.status)
        return None if state is None else TaskProgress(state=state, meta=_meta(job))

    async def _record(self, task_id: str) -> JobLog:
        return await self._jobs().handle(task_id).record()

    async def _lines(self, task_id: str) -> str:
        lines = await self._jobs().lines(task_id, limit=_MOST_LINES)
        return "\n".join(f"{line.level} {line.message}" for line in lines)


def _percent(meta: Any) -> float | None:
    found = meta.get("percent") if isinstance(meta, dict) else meta
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    return min(100.0, max(0.0, float(found)))


def _message(progress: TaskProgress[Any]) -> str:
    if progress.meta is None:
        state = progress.state
        return state.value if isinstance(state, TaskState) else state
    return progress.meta if isinstance(progress.meta, str) else _written(progress.meta)


def _written(meta: Any) -> str:
    return json.dumps(meta, default=str, ensure_ascii=False)


def _meta(job: JobLog) -> Any:
    if job.progress_message is None:
        return job.progress
    try:
        return json.loads(job.progress_message)
    except ValueError:
        return job.progress_message
