"""WorkerInfo: what is known of a worker."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class WorkerStatus(StrEnum):
    """How a worker stands."""

    RUNNING = "running"
    DRAINING = "draining"
    """It begins no jobs any more, and ends after those that it runs."""
    LOST = "lost"
    """It was not heard of for three beats: it is dead, or cut off from the database."""


class WorkersJob(BaseModel):
    """A job that a worker runs now."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    job_name: str
    started_at: datetime


class WorkerInfo(BaseModel):
    """One worker: a process of `m worker`, or one inside another process. Times are in UTC."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Host, process id, random digits; as in `JobLog.worker`.")
    host: str
    pid: int
    version: str = Field(description="Of Framework M.")
    status: WorkerStatus
    queues: tuple[str, ...] = Field(description="Those that it serves.")
    concurrency: int = Field(description="Most jobs that it runs at once.")
    running: int = Field(description="Jobs that it runs now.")
    memory_bytes: int | None = Field(
        None, description="Resident memory of its process at the last beat, in bytes."
    )
    started_at: datetime
    last_seen: datetime = Field(description="Its last beat.")
    jobs: tuple[WorkersJob, ...] = Field(
        (), description="What it runs, the oldest first, at most 1,000; only where it is asked for."
    )
