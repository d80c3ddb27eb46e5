"""Schedules: save them, look at them, run them now. What an application has as `app.schedules`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from framework_m.core import clock
from framework_m.core.doctypes.representation import field_errors
from framework_m.core.doctypes.schedule_views import (
    ScheduleFiring,
    ScheduleInfo,
    SchedulePreview,
)
from framework_m.core.doctypes.scheduled_job import DEFINITION, ScheduledJob
from framework_m.core.errors import (
    DuplicateError,
    FrameworkMError,
    InvalidDocumentError,
    NotFoundError,
)
from framework_m.core.jobs.function import JobCall
from framework_m.core.jobs.options import RunOptions
from framework_m.core.scheduling.previews import PREVIEWED, preview, upcoming
from framework_m.core.scheduling.rules import timing_of

if TYPE_CHECKING:
    from framework_m.core.interfaces.repository import Repositories, Repository
    from framework_m.core.interfaces.schedule_store import (
        PastFiring,
        ScheduleStanding,
        ScheduleStore,
    )
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory
    from framework_m.core.jobs.function import JobFunction
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.service import Jobs
    from framework_m.core.scheduling.settling import Settling

SHOWN = 5
"""Due times that a schedule is shown with."""
_GIVEN = {*DEFINITION, "enabled"}


class Schedules:
    """The schedules of one application."""

    def __init__(
        self,
        store: ScheduleStore,
        units: UnitOfWorkFactory,
        repositories: Repositories,
        jobs: Jobs,
        settling: Settling,
    ) -> None:
        self._store = store
        self._units = units
        self._repositories = repositories
        self._jobs = jobs
        self._settling = settling

    async def schedule(
        self,
        job: JobFunction[..., Any] | str,
        cron: str,
        *,
        name: str | None = None,
        **options: Any,
    ) -> ScheduledJob:
        """Have a job enqueued at its times: makes the schedule of that name, or changes it.

            await app.schedule(send_report, "0 9 * * 1-5", timezone="Europe/Berlin")

        name: the record's, the job's by default: so there is one, however often this is called.
        options: the fields of ScheduledJob, `args` among them; what is no field of it is one of
            the job's arguments. Fields that are left out stay as they are, or have their default.

        In the transaction of the context, if there is one. Raises InvalidDocumentError, and what
        else `Repository.save` raises.
        """
        job_name = job if isinstance(job, str) else job.name
        fields = {field: value for field, value in options.items() if field in _GIVEN}
        arguments = {field: value for field, value in options.items() if field not in _GIVEN}
        if arguments:
            fields["args"] = {**fields.get("args", {}), **arguments}
        fields |= {"function": job_name, "cron_expression": cron}
        try:
            return await self._save(name or job_name, fields)
        except DuplicateError:  # somebody else has just made it
            return await self._save(name or job_name, fields)

    async def list(self) -> Sequence[ScheduleInfo]:
        """All of them, by name."""
        return [_info(standing) for standing in await self._store.standings()]

    async def get(self, name: str) -> ScheduleInfo:
        """One of them. Raises NotFoundError."""
        found = await self._store.standings(name)
        if not found:
            raise NotFoundError(ScheduledJob.__name__, name)
        return _info(found[0])

    async def standings(self) -> Sequence[ScheduleStanding]:
        """How all of them stand, by name: in one query, and without reckoning due times."""
        return await self._store.standings()

    async def run(self, name: str) -> JobHandle[Any]:
        """Enqueue its job now, whatever the time, and beside its due times.

        Also where it is not enabled. Raises NotFoundError, UnknownJobError, ArgumentError.
        """
        schedule = await self._records().get(name)
        options = RunOptions(queue=schedule.queue, priority=schedule.priority)
        call: JobCall[Any] = JobCall(schedule.function, kwargs=schedule.args, options=options)
        job = replace(self._jobs.new_job(call), schedule=schedule.name, due_time=clock.now())
        async with self._units() as unit:
            [handle] = await self._jobs.insert_in(unit, [job])
        return handle

    async def pause(self, name: str) -> ScheduledJob:
        """Let it fire no more, in any process, from the commit on. Raises NotFoundError.

        What falls due meanwhile is not made up.
        """
        return await self._set_enabled(name, enabled=False)

    async def resume(self, name: str) -> ScheduledJob:
        """Let it fire again, at its next due time."""
        return await self._set_enabled(name, enabled=True)

    async def history(
        self, name: str, *, limit: int = 50, before: datetime | None = None
    ) -> Sequence[ScheduleFiring]:
        """What became of its due times, newest first. Raises NotFoundError.

        before: the due time that ended the last page.
        """
        past = await self._store.history(name, limit=limit, before=before)
        if not past:
            await self.get(name)
        return [_shown(firing) for firing in past]

    def preview(
        self, expression: str, timezone: str = "UTC", *, count: int = PREVIEWED
    ) -> SchedulePreview:
        """What it means. Raises CronError, UnknownTimeZoneError."""
        return preview(expression, timezone, count=count)

    async def _save(self, name: str, fields: Mapping[str, Any]) -> ScheduledJob:
        async with self._units() as unit:
            schedules = self._repositories(ScheduledJob, unit)
            try:
                schedule = await schedules.get(name, for_update=True)
            except NotFoundError:
                return await schedules.save(_made(name, {}, fields))
            changed = _made(name, schedule.model_dump(include=_GIVEN), fields)
            self._settling.settle(changed)
            wanted = changed.model_dump(include=_GIVEN)
            if wanted == schedule.model_dump(include=_GIVEN):
                return schedule
            schedule.__dict__.update({field: getattr(changed, field) for field in _GIVEN})
            return await schedules.save(schedule)

    async def _set_enabled(self, name: str, *, enabled: bool) -> ScheduledJob:
        async with self._units() as unit:
            schedules = self._repositories(ScheduledJob, unit)
            schedule = await schedules.get(name, for_update=True)
            if schedule.enabled != enabled:
                schedule.enabled = enabled
                await schedules.save(schedule)
            return schedule

    def _records(self) -> Repository[ScheduledJob]:
        return self._repositories(ScheduledJob)


def _made(name: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> ScheduledJob:
    try:
        return ScheduledJob(**{"name": name, **known, **given})
    except ValidationError as error:
        raise InvalidDocumentError(ScheduledJob.__name__, name, field_errors(error)) from error


def _info(standing: ScheduleStanding) -> ScheduleInfo:
    return ScheduleInfo(
        name=standing.name,
        function=standing.function,
        cron_expression=standing.cron_expression,
        timezone=standing.timezone,
        description=standing.description or "",
        enabled=standing.enabled,
        declared_in=standing.declared_in,
        next_runs=_next_runs(standing),
        last_run=standing.last_run,
        last_status=standing.last_status,
        last_job=standing.last_job,
        lag_seconds=_lag(standing.last_run, standing.last_started_at),
    )


def _lag(due_at: datetime | None, started_at: datetime | None) -> float | None:
    if due_at is None or started_at is None:
        return None
    return (started_at - due_at).total_seconds()


def _next_runs(schedule: ScheduleStanding) -> tuple[datetime, ...]:
    if schedule.next_run is None:
        return ()
    try:
        timing = timing_of(
            schedule.cron_expression, schedule.timezone, schedule.start_date, schedule.end_date
        )
    except FrameworkMError:  # somebody went past the checks, to the database itself
        return (schedule.next_run,)
    return (schedule.next_run, *upcoming(timing, schedule.next_run, SHOWN - 1))


def _shown(firing: PastFiring) -> ScheduleFiring:
    return ScheduleFiring(
        due_at=firing.due_at,
        fired_at=firing.fired_at,
        status=firing.status,
        job_id=firing.job_id,
        lag_seconds=_lag(firing.due_at, firing.started_at),
        count=firing.count,
        until=firing.until,
        detail=firing.detail,
    )
