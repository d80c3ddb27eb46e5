"""Firing: from due times to jobs, in one transaction (invariant 9)."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from framework_m.core.causes import NO_CAUSE, Cause, caused_by
from framework_m.core.doctypes.scheduled_job import CatchUp, Overlap, ScheduleStatus
from framework_m.core.errors import FrameworkMError, LockTimeoutError, UnavailableError
from framework_m.core.identity import acting_as
from framework_m.core.ids import uuid7_of
from framework_m.core.interfaces.job_store import NewJob
from framework_m.core.interfaces.schedule_store import Due, Fired, Firing
from framework_m.core.jobs.function import JobCall
from framework_m.core.jobs.options import RunOptions
from framework_m.core.jobs.priority import Priority
from framework_m.core.scheduling.due_times import CatchUpRule, Missed, Times, Turn, turn
from framework_m.core.scheduling.rules import timing_of, wait_within

if TYPE_CHECKING:
    from framework_m.core.interfaces.schedule_store import ScheduleStore, StoredSchedule
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory, UnitOfWorkProtocol
    from framework_m.core.jobs.service import Jobs

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What firing some schedules has led to."""

    next: Sequence[Due]
    """Their next due times, also of those that were not due; some may have passed already."""
    busy: frozenset[str]
    """Those that somebody else had in hand: to be tried again in a moment."""
    failed: frozenset[str] = frozenset()
    """Those that cannot be fired, as the log tells; they stay due."""


@dataclass(slots=True)
class _Plan:
    """One schedule's turn, as far as it is decided."""

    schedule: StoredSchedule
    turn: Turn
    jobs: list[tuple[datetime, NewJob]] = field(default_factory=list)
    firings: list[Firing] = field(default_factory=list)


class Fire:
    """Enqueues what is due. Asked twice, or by many processes at once, it does so once.

    grace: how late a due time may be that needs no catching up.
    """

    def __init__(
        self, store: ScheduleStore, units: UnitOfWorkFactory, jobs: Jobs, grace: timedelta
    ) -> None:
        self._store = store
        self._units = units
        self._jobs = jobs
        self._grace = grace

    async def __call__(self, names: Collection[str]) -> Round:
        """Let these schedules have their turn, if they are due. Raises UnavailableError.

        What is wrong with one of them is noted in its history, and spoils no other.
        """
        try:
            return await self._together(names)
        except LockTimeoutError:
            # Somebody has not committed yet what keeps the job of one of them out.
            if len(names) > 1:
                return all_of([await self([name]) for name in names])
            return Round((), busy=frozenset(names))
        except UnavailableError:
            raise
        except Exception:
            # As where the database refuses what one of them comes to.
            if len(names) > 1:
                return all_of([await self([name]) for name in names])
            logger.exception("the schedule %r cannot be fired", *names)
            return Round((), frozenset(), failed=frozenset(names))

    async def _together(self, names: Collection[str]) -> Round:
        async with self._units() as unit:
            locked = await self._store.lock(unit, names)
            left = [it for it in locked.schedules if self._is_for_others(it, locked.now)]
            ours = [it for it in locked.schedules if it not in left]
            fired = await self._fire(unit, ours, locked.now)
        _say_unusual(fired)
        upcoming = [Due(it.name, it.next_run) for it in fired if it.next_run is not None]
        return Round([*upcoming, *locked.ahead], locked.busy.union(it.name for it in left))

    async def before_an_edit(self, unit: UnitOfWorkProtocol, name: str) -> None:
        """Let it have its turn as it is, in the transaction that gives it other times.

        As often as it takes: one turn makes up so many due times, and those left would be lost.
        """
        with acting_as(None), caused_by(NO_CAUSE):
            while (locked := await self._store.hold(unit, name)).schedules:
                _say_unusual(await self._fire(unit, locked.schedules, locked.now))

    async def _fire(
        self, unit: UnitOfWorkProtocol, schedules: Sequence[StoredSchedule], now: datetime
    ) -> Sequence[Fired]:
        plans = [self._plan(schedule, now) for schedule in schedules]
        await self._leave_out(unit, plans)
        await self._enqueue(unit, plans)
        fired = [_fired(plan) for plan in plans]
        await self._store.write(unit, fired)
        return fired

    def _is_for_others(self, schedule: StoredSchedule, now: datetime) -> bool:
        """As in the midst of a deploy: who knows the function knows its queue and its limits, too.

        Once the due time is late somebody has to; see `_job_of`.
        """
        is_known = self._jobs.registry.find(schedule.function) is not None
        return not is_known and schedule.next_run > now - self._grace

    def _plan(self, schedule: StoredSchedule, now: datetime) -> _Plan:
        # Somebody may have gone past the checks, to the database itself.
        next_run: datetime | None = None  # it stops, if nobody knows when it is due
        try:
            times = _times_of(schedule)
            next_run = times.after(now)
            plan = _Plan(schedule, self._turn(schedule, times, now))
        except Exception as error:  # noqa: BLE001 - whatever is wrong, it is this one's alone
            firings = [_refused(schedule, schedule.next_run, error)]
            return _Plan(schedule, Turn((), None, next_run), firings=firings)
        for due_at in plan.turn.due:
            try:
                plan.jobs.append((due_at, self._new_job(schedule, due_at, now)))
            except Exception as error:  # noqa: BLE001 - likewise; checks of arguments are users'
                plan.firings.append(_refused(schedule, due_at, error))
        return plan

    def _turn(self, schedule: StoredSchedule, times: Times, now: datetime) -> Turn:
        Overlap(schedule.overlap)  # raises ValueError
        window = timedelta(seconds=schedule.catch_up_window)
        rule = CatchUpRule(CatchUp(schedule.catch_up), window, self._grace)
        return turn(times, rule, schedule.next_run, now)

    def _new_job(self, schedule: StoredSchedule, due_at: datetime, now: datetime) -> NewJob:
        job_id = uuid7_of(due_at, f"{schedule.name} {due_at.isoformat()}")
        job = _job_of(self._jobs, schedule, job_id)
        starts = due_at + wait_within(schedule.jitter, schedule.name, due_at)
        when: dict[str, Any] = {"due_at": starts} if starts > now else {"ready_since": starts}
        return replace(job, schedule=schedule.name, due_time=due_at, **when)

    async def _leave_out(self, unit: UnitOfWorkProtocol, plans: Sequence[_Plan]) -> None:
        """Those whose jobs are there already, and those that would overlap."""
        wanted = [job.job_id for plan in plans for _, job in plan.jobs]
        existing = await self._store.existing(unit, wanted) if wanted else frozenset[str]()
        for plan in plans:
            plan.jobs = [(at, job) for at, job in plan.jobs if job.job_id not in existing]
        exclusive = [
            plan for plan in plans if plan.jobs and plan.schedule.overlap == Overlap.SKIP.value
        ]
        if not exclusive:
            return
        names = [plan.schedule.name for plan in exclusive]
        busy = await self._store.busy_with(unit, names)
        for plan in exclusive:
            first = 0 if plan.schedule.name in busy else 1
            skipped, plan.jobs = plan.jobs[first:], plan.jobs[:first]
            plan.firings += [
                _skipped(plan, at, "a job of an earlier due time has not ended")
                for at, _ in skipped
            ]

    async def _enqueue(self, unit: UnitOfWorkProtocol, plans: Sequence[_Plan]) -> None:
        jobs = [(plan, at, job) for plan in plans for at, job in plan.jobs]
        handles = await self._jobs.insert_in(unit, [job for _, _, job in jobs])
        for (plan, due_at, job), handle in zip(jobs, handles, strict=True):
            if handle.existed:
                told = f"an equal job, which is unique, is there already: {handle}"
                plan.firings.append(_skipped(plan, due_at, told))
            else:
                waits = ScheduleStatus.QUEUED if job.due_at is None else ScheduleStatus.SCHEDULED
                firing = Firing(plan.schedule.name, due_at, waits, job.job_id)
                plan.firings.append(firing)


def _times_of(schedule: StoredSchedule) -> Times:
    return timing_of(
        schedule.cron_expression, schedule.timezone, schedule.start_date, schedule.end_date
    )


def all_of(rounds: Sequence[Round]) -> Round:
    """What several rounds have led to."""
    return Round(
        [due for it in rounds for due in it.next],
        frozenset().union(*(it.busy for it in rounds)),
        frozenset().union(*(it.failed for it in rounds)),
    )


def _job_of(jobs: Jobs, schedule: StoredSchedule, job_id: str) -> NewJob:
    """Raises ArgumentError, ValueError: what is stored fits the function no more."""
    args = json.loads(schedule.args)
    if not isinstance(args, dict):
        raise ValueError("the arguments are no JSON object")  # noqa: TRY004 - as json.loads does
    if jobs.registry.find(schedule.function) is not None:
        options = RunOptions(queue=schedule.queue, priority=schedule.priority)
        options.checked(schedule.function)
        call: JobCall[Any] = JobCall(schedule.function, kwargs=args, options=options)
        return jobs.new_job(call, job_id)
    # Nobody who knows it was there in time: whoever claims it parks it, until a worker does.
    return NewJob(
        job_id=job_id,
        job_name=schedule.function,
        queue=schedule.queue or "default",
        args=schedule.args,
        max_attempts=jobs.registry.default_retries + 1,
        priority=schedule.priority or Priority.NORMAL,
        cause=Cause(correlation_id=job_id),
    )


def _fired(plan: _Plan) -> Fired:
    firings = sorted(plan.firings, key=lambda firing: firing.due_at)
    if plan.turn.missed is not None:
        firings.insert(0, _missed(plan, plan.turn.missed))
    return Fired(plan.schedule.name, plan.turn.next_run, firings)


def _missed(plan: _Plan, missed: Missed) -> Firing:
    told = "nobody was there for it" if missed.count == 1 else "nobody was there for them"
    return Firing(
        plan.schedule.name,
        missed.first,
        ScheduleStatus.MISSED,
        count=missed.count,
        until=None if missed.count == 1 else missed.last,
        detail=f"{told}, and catch_up is {plan.schedule.catch_up}",
    )


def _skipped(plan: _Plan, due_at: datetime, why: str) -> Firing:
    return Firing(plan.schedule.name, due_at, ScheduleStatus.SKIPPED, detail=why)


def _refused(schedule: StoredSchedule, due_at: datetime, error: Exception) -> Firing:
    told = str(error)
    if not isinstance(error, FrameworkMError | ValueError):
        told = f"{type(error).__name__}: {told}"
    return Firing(schedule.name, due_at, ScheduleStatus.REFUSED, detail=told)


def _say_unusual(fired: Sequence[Fired]) -> None:
    for firing in (firing for it in fired for firing in it.firings):
        if firing.job_id is None:
            log = logger.error if firing.status is ScheduleStatus.REFUSED else logger.warning
            told = firing.schedule, firing.status.value.lower(), firing.due_at, firing.detail
            log("schedule %r %s %s: %s", *told)
