"""What became of due times outlives their jobs: the last word of a job that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, update

from framework_m.adapters.db.schedule_schema import schedule_firing
from framework_m.adapters.db.schema import job_log
from framework_m.core.jobs.states import TERMINAL, JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

_row = job_log.c
_firing = schedule_firing.c
LAST_WORDS = (
    _row.name.label("job_id"),
    _row.status.label("became"),
    _row.schedule.label("of_schedule"),
    _row.due_at.label("of_due_time"),
)
"""Of a job that is removed."""
KEEP = (
    update(schedule_firing)
    .where(
        _firing.schedule == bindparam("of_schedule"),
        _firing.due_at == bindparam("of_due_time"),
        _firing.job_id == bindparam("of_job"),
    )
    .values(status=bindparam("became"))
)
"""By the primary key. Of a job that was run again, or run by hand, there is no such row."""


def to_keep(removed: Iterable[Any]) -> list[dict[str, Any]]:
    """The parameters of KEEP: for those of a schedule, and there are few as a rule."""
    return [
        {
            "of_schedule": row.of_schedule,
            "of_due_time": row.of_due_time,
            "of_job": row.job_id,
            "became": _ended(row.became),
        }
        for row in removed
        if row.of_schedule is not None and row.of_due_time is not None
    ]


def _ended(status: str) -> str:
    """Whoever removes a job that has not ended has cancelled it."""
    return status if JobStatus(status) in TERMINAL else JobStatus.CANCELLED.value
