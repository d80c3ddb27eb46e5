"""The states of a job (design §5)."""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job stands. The last three are terminal: nothing happens to it any more."""

    QUEUED = "Queued"
    """Ready to run."""
    SCHEDULED = "Scheduled"
    """Waiting for its time."""
    RUNNING = "Running"
    """Claimed by a worker that holds its lease."""
    RETRYING = "Retrying"
    """Failed, waiting for its next attempt."""
    SUCCESS = "Success"
    FAILED = "Failed"
    """Gave up."""
    CANCELLED = "Cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


WAITING = (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.RETRYING)
"""What a worker may claim once its time has come."""

TERMINAL = (JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELLED)
