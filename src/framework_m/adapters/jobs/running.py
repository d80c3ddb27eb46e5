"""The run that the current context is in, for what reaches it through taskiq."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from framework_m.core.interfaces.job_store import ProgressReport
from framework_m.core.text import storable

if TYPE_CHECKING:
    from taskiq import TaskiqMessage

    from framework_m.adapters.jobs.completion import Recorder
    from framework_m.core.interfaces.job_store import Claim

_REQUEUED = "X-Taskiq-requeue"


class RunningJob:
    """One run, as taskiq's Context and ProgressTracker see it."""

    def __init__(self, claim: Claim, recorder: Recorder) -> None:
        self.claim = claim
        self.recorder = recorder
        self.is_requeued = False


_running: ContextVar[RunningJob | None] = ContextVar("framework_m_running", default=None)


def now_running(job: RunningJob) -> None:
    """From here on this context is that run's."""
    _running.set(job)


def asks_to_be_requeued(message: TaskiqMessage) -> bool:
    """Whether it is the running job's own message: `Context.requeue()` sends that again.

    The job is then put back instead, and no other is made.
    """
    running = _running.get()
    if running is None or running.claim.job_id != message.task_id:
        return False
    if _REQUEUED in message.labels:
        running.is_requeued = True
    return running.is_requeued


def report_progress(job_id: str, percent: float | None, message: str) -> None:
    """Progress of the running job; of another there is none to be told."""
    running = _running.get()
    if running is not None and running.claim.job_id == job_id:
        claim_no = running.claim.claim_no
        running.recorder.report(ProgressReport(job_id, claim_no, percent, storable(message)))
