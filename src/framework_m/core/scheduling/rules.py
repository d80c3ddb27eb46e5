"""From a record's fields to what they mean: when it fires, and what is enqueued then."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from framework_m.core.errors import UnknownJobError
from framework_m.core.scheduling.cron import Cron
from framework_m.core.scheduling.timing import Timing, zone

if TYPE_CHECKING:
    from framework_m.core.jobs.registry import JobRegistry, RegisteredJob


def timing_of(
    cron_expression: str, timezone: str, starts: datetime | None, ends: datetime | None
) -> Timing:
    """Raises CronError, UnknownTimeZoneError."""
    return Timing(Cron.parse(cron_expression), zone(timezone), starts, ends)


def job_of(registry: JobRegistry, function: str) -> RegisteredJob:
    """The job function of that name, or at that place: `send_report`, `shop.jobs.send_report`.

    Raises UnknownJobError, with the nearest name.
    """
    found = registry.find(function)
    if found is not None:
        return found
    for job in registry:
        home = job.function.function
        if function.replace(":", ".") == f"{home.__module__}.{home.__qualname__}":
            return job
    raise UnknownJobError(function, [job.name for job in registry])


def wait_within(jitter: float, schedule: str, due_at: datetime) -> timedelta:
    """The chance part of a due time's wait: below `jitter` seconds, the same for the same one."""
    digest = hashlib.sha256(f"jitter {schedule} {due_at.isoformat()}".encode()).digest()
    return timedelta(seconds=jitter * int.from_bytes(digest[:7]) / 256**7)
