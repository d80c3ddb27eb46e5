"""What a cron expression means, for whoever is about to write one: needs nothing but itself."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from framework_m.core import clock
from framework_m.core.doctypes.schedule_views import SchedulePreview
from framework_m.core.scheduling.cron import Cron
from framework_m.core.scheduling.timing import Timing, zone
from framework_m.core.scheduling.words import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

PREVIEWED = 10
_FOR_EVER = datetime.max.replace(tzinfo=UTC)


def preview(expression: str, timezone: str = "UTC", *, count: int = PREVIEWED) -> SchedulePreview:
    """In words, and its next due times. Raises CronError, UnknownTimeZoneError."""
    cron, zone_of = Cron.parse(expression), zone(timezone)
    due = upcoming(Timing(cron, zone_of), clock.now(), count)
    local = tuple(moment.astimezone(zone_of) for moment in due)
    return SchedulePreview(description=describe(cron, timezone), next_runs=local)


def upcoming(timing: Timing, after: datetime, count: int) -> Sequence[datetime]:
    """The next due times, so many at most."""
    return tuple(itertools.islice(timing.between(after, _FOR_EVER), count))
