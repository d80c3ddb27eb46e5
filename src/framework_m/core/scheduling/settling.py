"""Settling a ScheduledJob: what is wrong with it, and what its fields come to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from framework_m.core.errors import (
    ArgumentError,
    CronError,
    FieldError,
    UnknownJobError,
    UnknownTimeZoneError,
)
from framework_m.core.jobs.options import RunOptions
from framework_m.core.scheduling.cron import Cron
from framework_m.core.scheduling.rules import job_of
from framework_m.core.scheduling.timing import Timing, zone
from framework_m.core.scheduling.words import describe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    from framework_m.core.doctypes.scheduled_job import ScheduledJob
    from framework_m.core.jobs.registry import JobRegistry


_YEARS = range(1900, 9900)
"""Of dates: so far from where the calendar ends that any zone can be reckoned in."""


class Settling:
    """What is checked of a schedule, and completed.

    floor: the least time between two due times of one schedule.
    """

    def __init__(self, registry: JobRegistry, floor: timedelta) -> None:
        self._registry = registry
        self._floor = floor

    def settle(self, schedule: ScheduledJob) -> tuple[Timing | None, list[FieldError]]:
        """Bring its fields to their usual form; when it fires, and everything that is wrong."""
        errors = list(self._function(schedule))
        zone_of, cron = self._zone(schedule, errors), self._cron(schedule, errors)
        if zone_of is None or cron is None:
            return None, errors
        for name in ("start_date", "end_date"):
            moment = _in_zone(getattr(schedule, name), zone_of)
            if moment is not None and moment.year not in _YEARS:
                errors.append(FieldError(name, f"is not in the years {_YEARS[0]} to {_YEARS[-1]}"))
                return None, errors
            schedule.__dict__[name] = moment
        timing = Timing(cron, zone_of, schedule.start_date, schedule.end_date)
        schedule.__dict__["cron_expression"] = cron.text
        schedule.__dict__["description"] = describe(cron, schedule.timezone)
        errors += self._of_times(schedule, timing)
        return timing, errors

    def _function(self, schedule: ScheduledJob) -> Iterator[FieldError]:
        """Its function's own name, and arguments that fit it."""
        try:
            job = job_of(self._registry, schedule.function)
        except UnknownJobError as error:
            yield FieldError("function", str(error))
            return
        schedule.__dict__["function"] = job.name
        try:
            schedule.__dict__["args"] = json.loads(job.arguments.dump(schedule.args))
        except ArgumentError as error:
            yield from (FieldError(f"args.{it.field}", it.message) for it in error.errors)
        try:
            RunOptions(queue=schedule.queue, priority=schedule.priority).checked(job.name)
        except ArgumentError as error:
            yield from error.errors

    def _zone(self, schedule: ScheduledJob, errors: list[FieldError]) -> ZoneInfo | None:
        try:
            return zone(schedule.timezone)
        except UnknownTimeZoneError as error:
            errors.append(FieldError("timezone", str(error)))
            return None

    def _cron(self, schedule: ScheduledJob, errors: list[FieldError]) -> Cron | None:
        try:
            return Cron.parse(schedule.cron_expression)
        except CronError as error:
            errors.append(FieldError("cron_expression", error.reason))
            return None

    def _of_times(self, schedule: ScheduledJob, timing: Timing) -> Iterator[FieldError]:
        start, end = schedule.start_date, schedule.end_date
        if start is not None and end is not None and end < start:
            yield FieldError("end_date", "is before start_date")
        if timing.cron.least_gap < self._floor and timing.smallest_gap() < self._floor:
            seconds = self._floor.total_seconds()
            told = f"fires more often than every {seconds:g} s, which is the least that is allowed"
            yield FieldError("cron_expression", told)


def _in_zone(moment: datetime | None, zone_of: ZoneInfo) -> datetime | None:
    """Whole seconds, aware: in the schedule's own zone where none is given."""
    if moment is None:
        return None
    whole = moment.replace(microsecond=0)
    return whole if whole.utcoffset() is not None else whole.replace(tzinfo=zone_of)
