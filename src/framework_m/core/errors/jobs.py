"""Errors of jobs and job functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.core.errors.base import ConfigurationError, FieldError, FrameworkMError
from framework_m.core.text import nearest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class DuplicateJobError(ConfigurationError):
    """Two job functions have one name."""

    def __init__(self, name: str, first: str, second: str) -> None:
        super().__init__(
            f"two job functions are named {name!r}: {first} and {second}; "
            f"rename one, or give it a name with @job(name=…)"
        )
        self.name = name
        self.places = (first, second)


class JobError(FrameworkMError):
    """Something about one job or job function."""


class UnknownJobError(JobError):
    """No job function has this name."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        nearest = nearest_of(name, known)
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"no job function is named {name!r}{hint}")
        self.name = name
        self.nearest = nearest


class ArgumentError(JobError):
    """Arguments do not fit the job function; `errors` has one entry per argument."""

    def __init__(self, job: str, errors: Sequence[FieldError]) -> None:
        told = "; ".join(f"{error.field}: {error.message}" for error in errors)
        super().__init__(f"arguments do not fit job {job!r}: {told}")
        self.job = job
        self.errors = tuple(errors)


class ResultError(JobError):
    """A job returned a value that cannot be stored as JSON."""

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(f"job {job!r} returned a value that JSON cannot hold: {reason}")


class JobTimeoutError(JobError):
    """A job ran longer than its timeout.

    thread_goes_on: nothing can stop its thread, which ends when it asks `ctx.check_cancelled()`,
        or by itself; whatever it still says is not kept.
    """

    def __init__(self, job: str, seconds: float, *, thread_goes_on: bool = False) -> None:
        told = "; its thread goes on until it notices" if thread_goes_on else ""
        super().__init__(f"job {job!r} ran longer than its timeout of {seconds:g} s{told}")
        self.seconds = seconds
        self.thread_goes_on = thread_goes_on


class JobProcessDiedError(JobError):
    """The process of a job with `executor="process"` ended before the job did, or never began."""

    def __init__(self, job: str, how: str) -> None:
        super().__init__(f"the process of job {job!r} {how}")
        self.how = how


class WorkerDiedError(JobError):
    """The worker that ran a job stopped renewing its lease: killed, or cut off. Runs again."""

    def __init__(self, worker: str | None) -> None:
        super().__init__(f"the worker {worker} died, or was cut off, while it ran this")


class PoisonJobError(JobError):
    """A job killed every worker that ran it, also while it ran alone. It does not run again."""

    def __init__(self, crashes: int) -> None:
        super().__init__(f"it ran alone, and its worker died, {crashes} times")


class JobNotFoundError(JobError):
    """No job has this id (or it was deleted)."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job has the id {job_id!r}")
        self.job_id = job_id


class JobExistsError(JobError):
    """A job was to have an id that another has already."""

    def __init__(self, job_ids: Sequence[str]) -> None:
        told = job_ids[0] if len(job_ids) == 1 else f"one of {', '.join(job_ids)}"
        super().__init__(f"there is a job with the id {told} already")
        self.job_ids = tuple(job_ids)


class JobEndedError(JobError):
    """The job that was to be cancelled has already finished."""

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"job {job_id} has already ended: {status}")
        self.job_id = job_id
        self.status = status


class JobNotEndedError(JobError):
    """The job that was to be run again has not finished yet."""

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"job {job_id} has not ended yet, it is {status}: cancel it first")
        self.job_id = job_id
        self.status = status


class ReusedKeyError(JobError):
    """An Idempotency-Key came back with a request for something else."""


class JobFailedError(JobError):
    """The job whose result was asked for ended without one."""

    def __init__(self, job_id: str, status: str, error: str | None) -> None:
        super().__init__(f"job {job_id} ended {status}: {error or 'no error was recorded'}")
        self.job_id = job_id
        self.status = status
        self.error = error
