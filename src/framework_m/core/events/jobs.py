"""The events of jobs: that one has ended, and how. Its other transitions are in its own stream."""

from __future__ import annotations

from framework_m.core.events.envelope import BaseEvent


class JobEvent(BaseEvent):
    """One job ended. Neither its arguments nor its result are told: they may be secret."""

    job_id: str
    job_name: str
    queue: str
    attempt: int
    error: str | None = None
    """`Type: message`."""


class JobSucceeded(JobEvent):
    event_type: str = "job.succeeded"


class JobFailed(JobEvent):
    """It gave up."""

    event_type: str = "job.failed"


class JobCancelled(JobEvent):
    event_type: str = "job.cancelled"
