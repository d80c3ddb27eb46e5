"""What a finished run means: the outcome to record for what a job function did."""

from __future__ import annotations

import traceback
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from framework_m.core.errors import ArgumentError, ResultError
from framework_m.core.interfaces.job_store import FinishedRun
from framework_m.core.jobs.retry import backoff
from framework_m.core.jobs.states import JobStatus
from framework_m.core.text import storable

if TYPE_CHECKING:
    from types import TracebackType

    from framework_m.core.interfaces.job_store import Claim
    from framework_m.core.jobs.registry import RegisteredJob

_PARKED_FOR = timedelta(seconds=30)
_TRACEBACK_LIMIT = 64_000
_ENGINE = ("framework_m", "taskiq", "asyncio", "concurrent")
_NEVER_RETRIED = (ArgumentError, ResultError)
"""Another try would end the same way."""


def succeeded(job: RegisteredJob, claim: Claim, value: Any) -> FinishedRun:
    """The run returned. Failed after all if what it returned cannot be stored."""
    try:
        result = job.arguments.dump_result(value)
    except ResultError as error:
        return failed(claim, error)
    return FinishedRun(claim.job_id, claim.claim_no, JobStatus.SUCCESS, result=result)


def failed(claim: Claim, error: BaseException) -> FinishedRun:
    """The run raised: retried while attempts are left."""
    again = claim.attempt < claim.max_attempts and not isinstance(error, _NEVER_RETRIED)
    return FinishedRun(
        claim.job_id,
        claim.claim_no,
        JobStatus.RETRYING if again else JobStatus.FAILED,
        error=storable(_summary(error)),
        traceback=storable(_traceback_of(error)),
        retry_after=backoff(claim.attempt) if again else None,
    )


def parked(claim: Claim, error: BaseException) -> FinishedRun:
    """This worker cannot run it, another (or this one after a deploy) may: it waits visibly."""
    return FinishedRun(
        claim.job_id,
        claim.claim_no,
        JobStatus.SCHEDULED,
        error=storable(_summary(error)),
        retry_after=_PARKED_FOR,
        spends_attempt=False,
    )


def unrecordable(run: FinishedRun, error: BaseException) -> FinishedRun:
    """The database refused the outcome itself: say that instead."""
    told = f"the outcome ({run.status}) could not be recorded: {type(error).__name__}"
    return FinishedRun(run.job_id, run.claim_no, JobStatus.FAILED, error=told)


def _summary(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _traceback_of(error: BaseException) -> str:
    text = "".join(traceback.format_exception(type(error), error, _of_the_job(error)))
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
