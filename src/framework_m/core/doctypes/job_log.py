"""JobLog: the record of one job, from its enqueueing to its outcome."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, computed_field

from framework_m.core.jobs.states import JobStatus


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
    user_id: str | None = None
    worker: str | None = Field(None, description="Who runs it, or ran it last.")
    parent_id: str | None = Field(None, description="The job that enqueued it.")
    progress: float | None = Field(None, description="Percent, 0 to 100.")
    progress_message: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def duration_seconds(self) -> float | None:
        """Length of the latest attempt; None before it has ended."""
        if self.started_at is None or self.completed_at is None:
            return None
        return (self.completed_at - self.started_at).total_seconds()
