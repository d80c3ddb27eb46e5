"""Schedules as people look at them: how one stands, what became of its due times, a preview."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from framework_m.core.doctypes.scheduled_job import ScheduleStatus


class ScheduleInfo(BaseModel):
    """How a schedule stands. Times are aware and in UTC."""

    model_config = ConfigDict(frozen=True)

    name: str
    function: str
    cron_expression: str
    timezone: str
    description: str = Field(description="When it fires, in words.")
    enabled: bool
    declared_in: str | None = Field(None, description="The module that declares it.")
    next_runs: tuple[datetime, ...] = Field((), description="The next due times, if enabled.")
    last_run: datetime | None = Field(None, description="The latest due time of which it is told.")
    last_status: ScheduleStatus | None = Field(None, description="What became of that.")
    last_job: str | None = None
    lag_seconds: float | None = Field(
        None, description="From that due time to the start of its job."
    )


class ScheduleFiring(BaseModel):
    """What became of one due time, or of several that were missed together. Times are in UTC."""

    model_config = ConfigDict(frozen=True)

    due_at: datetime
    fired_at: datetime = Field(description="When its turn came.")
    status: ScheduleStatus = Field(description="How its job stands, or why there is none.")
    job_id: str | None = None
    lag_seconds: float | None = Field(
        None, description="From the due time to the job's start; null before, and after retries."
    )
    count: int = Field(1, description="Due times that this is about; 1000 is at least so many.")
    until: datetime | None = Field(None, description="The last of them, where there are several.")
    detail: str | None = Field(None, description="Why there is no job.")


class SchedulePreview(BaseModel):
    """What a cron expression means."""

    model_config = ConfigDict(frozen=True)

    description: str = Field(description="In words.")
    next_runs: tuple[datetime, ...] = Field(description="The next due times, in the zone's time.")
