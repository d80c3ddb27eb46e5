"""JobLog: the record of one job, from its enqueueing to its outcome."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, computed_field

from framework_m.core.jobs.states import JobStatus


class JobAttempt(BaseModel):
    """One run that did not succeed. Times are aware and in UTC."""

    model_config = ConfigDict(frozen=True)

    attempt: int
    worker: str | None
    started_at: datetime | None
    ended_at: datetime
    error: str = Field(description="`Type: message`.")
    traceback: str | None


class JobLog(BaseModel):
    """One job. Times are aware and in UTC."""

    model_config = ConfigDict(frozen=True)

    job_id: str = Field(description="UUIDv7.")
    job_name: str
    queue: str
    priority: int
    status: JobStatus
    args: dict[str, Any]
    result: Any = None
    error: str | None = Field(None, description="`Type: message` of the last failure.")
    traceback: str | None = None
    enqueued_at: datetime
    scheduled_at: datetime = Field(description="When it is, or was, due.")
    started_at: datetime | None = Field(None, description="Start of the latest attempt.")
    completed_at: datetime | None = None
    updated_at: datetime
    attempt: int = Field(description="Tries so far, the running one included.")
    max_attempts: int
    attempts: tuple[JobAttempt, ...] = Field(
        (), description="The runs that did not succeed; only where one job is asked for."
    )
    user_id: str | None = None
    user_roles: tuple[str, ...] = Field((), description="What the user was when it was enqueued.")
    worker: str | None = Field(None, description="Who runs it, or ran it last.")
    parent_id: str | None = Field(None, description="The job that enqueued it.")
    correlation_id: str | None = Field(
        None, description="Shared by all jobs that go back to one; its own id if it is the first."
    )
    trace_context: str | None = Field(None, description="W3C traceparent.")
    tags: tuple[str, ...] = ()
    unique_key: str | None = None
    schedule: str | None = Field(None, description="The schedule that enqueued it.")
    due_at: datetime | None = Field(None, description="The schedule's due time that it is for.")
    progress: float | None = Field(None, description="Percent, 0 to 100.")
    progress_message: str | None = None
    claim_no: int = Field(0, description="How often it was claimed: the fencing token.")
    lease_until: datetime | None = Field(None, description="While Running: when its claim lapses.")
    rescues: int = Field(0, description="Deaths of its workers since it last came to an end.")
    dispatched_at: datetime | None = Field(None, description="When its message was sent.")
    blocked_on: str | None = Field(None, description="What it waits for, other than its time.")
    cancel_requested_at: datetime | None = Field(
        None, description="While Running: when it was asked to stop."
    )
    retry_of: str | None = Field(None, description="The finished job that this one runs again.")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def duration_seconds(self) -> float | None:
        """Length of the latest attempt; None before it has ended."""
        if self.started_at is None or self.completed_at is None:
            return None
        return (self.completed_at - self.started_at).total_seconds()
