"""ScheduledJob: the record that has a job enqueued at its times."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from framework_m.core.doctypes.base import NAME_LENGTH, DocType

_A_DAY = 24 * 3600.0
_A_YEAR = 366 * _A_DAY
LONGEST_EXPRESSION = 255


class Overlap(StrEnum):
    """What becomes of a due time while a job of an earlier one has not ended."""

    ALLOW = "allow"
    SKIP = "skip"


class CatchUp(StrEnum):
    """What becomes of due times that nobody was there for."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


class ScheduleStatus(StrEnum):
    """What became of a due time: how its job stands, or why there is none."""

    QUEUED = "Queued"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUCCESS = "Success"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SKIPPED = "Skipped"
    """A job of an earlier due time had not ended, or an equal unique job was there."""
    MISSED = "Missed"
    """Nobody was there for it, and catch_up does not want it."""
    REFUSED = "Refused"
    """The job could not be asked for: its function is unknown, or the arguments fit no more."""


def _kept(description: str, **constraints: Any) -> Any:
    """A field that the framework fills; what anybody else puts there does not count."""
    return Field(None, description=description, json_schema_extra={"readOnly": True}, **constraints)


class ScheduledJob(DocType):
    """A job function, and when a run of it is enqueued.

        await app.repository(ScheduledJob).save(
            ScheduledJob(
                name="daily report",
                function="send_daily_report",
                cron_expression="0 9 * * 1-5",
                timezone="Europe/Berlin",
            )
        )

    Each due time enqueues one job, however many processes run. Saving, changing or deleting one
    takes effect in every process within two seconds of the commit.
    """

    name: str = Field(
        "",
        max_length=NAME_LENGTH,
        pattern=r"^[^/\x00-\x1f\x7f]*$",
        description="What it is called; no slash in it.",
    )
    function: str = Field(
        min_length=1,
        max_length=NAME_LENGTH,
        description="The job function: its name, or where it is, as in shop.jobs.send_report.",
    )
    cron_expression: str = Field(
        min_length=1,
        max_length=LONGEST_EXPRESSION,
        description="When: five fields as in crontab, six with seconds first, @hourly and its "
        "like, or @every 90s.",
    )
    timezone: str = Field(
        "UTC", min_length=1, max_length=64, description="IANA name of the zone it goes by."
    )
    args: dict[str, Any] = Field({}, description="The job's arguments.")
    queue: str | None = Field(
        None, max_length=64, description="Instead of the function's own queue."
    )
    priority: int | None = Field(
        None, ge=1, le=4, description="Instead of the function's own; 1 is the most urgent."
    )
    enabled: bool = Field(True, description="Whether it fires. Nothing is made up for a pause.")
    overlap: Overlap = Field(
        Overlap.ALLOW,
        description="While a job of an earlier due time has not ended: allow another, or skip.",
    )
    catch_up: CatchUp = Field(
        CatchUp.LAST,
        description="Of due times that nobody was there for: none is made up, the last, or all.",
    )
    catch_up_window: float = Field(
        _A_DAY,
        gt=0,
        le=_A_YEAR,
        description="With catch_up all: seconds after which a due time is not made up any more.",
    )
    start_date: datetime | None = Field(
        None, description="The first moment at which it may fire; in its own zone if it has none."
    )
    end_date: datetime | None = Field(
        None, description="The last moment at which it may fire; in its own zone if it has none."
    )
    jitter: float = Field(
        0,
        ge=0,
        le=_A_DAY,
        description="Each job waits up to so many seconds after its due time: how many is chance, "
        "and the same for the same due time.",
    )
    description: str | None = _kept("When it fires, in words.", max_length=1000)
    declared_in: str | None = _kept(
        "The module that declares it: code owns it then, all but `enabled`.", max_length=NAME_LENGTH
    )
    next_run: datetime | None = _kept("When it is due next; null if never, or not enabled.")
    last_run: datetime | None = _kept("The latest due time that something became of.")
    last_job: str | None = _kept("The job of it, if there is one.", max_length=36)
    last_status: ScheduleStatus | None = _kept("What became of it, as of a second ago.")

    class Meta:
        table = "scheduled_job"
        naming = "given"
        api_resource = True
        indexes = ("next_run", "last_status")
        list_columns = ("name", "description", "enabled", "next_run", "last_status")


DEFINITION = (
    *("function", "cron_expression", "timezone", "args", "queue", "priority"),
    *("overlap", "catch_up", "catch_up_window", "start_date", "end_date", "jitter"),
)
"""The fields that say what is done and when: code's to change where code declares it."""
TIMING = ("cron_expression", "timezone", "start_date", "end_date", "enabled")
"""The fields that say when: where one changes, the next due time is another."""
KEPT = ("description", "declared_in", "next_run", "last_run", "last_job", "last_status")
"""The framework's own to fill."""
