"""What a finished run means: the outcome to record for what a job function did."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from framework_m.core.errors import ResultError
from framework_m.core.interfaces.job_store import FinishedRun
from framework_m.core.jobs.control import Cancel, Discard, Retry, Snooze
from framework_m.core.jobs.parking import gate_of
from framework_m.core.jobs.states import JobStatus
from framework_m.core.text import storable

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType

    from framework_m.core.interfaces.job_store import Claim
    from framework_m.core.jobs.registry import RegisteredJob

_TRACEBACK_LIMIT = 64_000
_ENGINE = ("framework_m", "taskiq", "asyncio", "concurrent")


def succeeded(job: RegisteredJob, claim: Claim, value: Any) -> FinishedRun:
    """The run returned. Failed after all if what it returned cannot be stored."""
    try:
        result = job.arguments.dump_result(value)
    except ResultError as error:
        return failed(job, claim, error)
    return FinishedRun(claim.job_id, claim.claim_no, JobStatus.SUCCESS, result=result)


def raised(job: RegisteredJob, claim: Claim, error: BaseException) -> FinishedRun:
    """The run raised: what it asked for, or what its retry policy says of the error."""
    match error:
        case Retry():
            wait = job.policy.wait(claim.attempt, error) if error.after is None else error.after
            return _again(claim, error, wait)
        case Snooze():
            return _ended(
                claim,
                JobStatus.SCHEDULED,
                None,
                retry_after=error.wait,
                spends_attempt=False,
            )
        case Cancel():
            return _ended(claim, JobStatus.CANCELLED, error)
        case Discard():
            return _ended(claim, JobStatus.FAILED, error)
    return failed(job, claim, error)


def failed(job: RegisteredJob, claim: Claim, error: BaseException) -> FinishedRun:
    """An error: tried again while the policy says so and attempts are left."""
    if not job.policy.allows(error):
        return _ended(claim, JobStatus.FAILED, error, traceback=_traceback_of(error))
    wait = job.policy.wait(claim.attempt, error)
    return _again(claim, error, wait, traceback=_traceback_of(error))


def _again(
    claim: Claim, error: BaseException, wait: timedelta, *, traceback: str | None = None
) -> FinishedRun:
    if claim.attempt >= claim.max_attempts:
        return _ended(claim, JobStatus.FAILED, error, traceback=traceback)
    return _ended(claim, JobStatus.RETRYING, error, traceback=traceback, retry_after=wait)


def _ended(
    claim: Claim, status: JobStatus, error: BaseException | None, **more: Any
) -> FinishedRun:
    told = None if error is None else storable(summary(error))
    return FinishedRun(claim.job_id, claim.claim_no, status, error=told, **more)


def parked(claim: Claim, error: BaseException) -> FinishedRun:
    """This worker does not know the function: it waits, visibly, for one that does."""
    return FinishedRun(
        claim.job_id,
        claim.claim_no,
        JobStatus.SCHEDULED,
        error=storable(summary(error)),
        spends_attempt=False,
        blocked_on=gate_of(claim.job_name),
    )


def unrecordable(run: FinishedRun, error: BaseException) -> FinishedRun:
    """The database refused the outcome itself: say that instead."""
    told = f"the outcome ({run.status}) could not be recorded: {type(error).__name__}"
    return FinishedRun(run.job_id, run.claim_no, JobStatus.FAILED, error=told)


def summary(error: BaseException) -> str:
    """`Type: message`."""
    try:
        text = str(error)
    except Exception as unsaid:  # noqa: BLE001 - theirs; a run without an outcome would run for ever
        text = f"its message cannot be shown ({type(unsaid).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _traceback_of(error: BaseException) -> str:
    lines = traceback.format_exception(type(error), error, _of_the_job(error))
    text = storable("".join(lines))
    # The end names the error and the innermost frame: keep that.
    return text if len(text) <= _TRACEBACK_LIMIT else f"…{text[-_TRACEBACK_LIMIT:]}"


def _of_the_job(error: BaseException) -> TracebackType | None:
    """The traceback from the job function on: how we got there is no news to its author."""
    frame = error.__traceback__
    while frame is not None and _is_ours(frame):
        frame = frame.tb_next
    return frame or error.__traceback__


def _is_ours(frame: TracebackType) -> bool:
    module = str(frame.tb_frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] in _ENGINE
