"""Two years of schedules under a moved clock: what has to be fired, and the adapters that fire it.

What croniter says is due, on days of 24 hours; on the others our own rule says it, which
tests/unit/core/scheduling holds against expectations that are written by hand.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import func, select

from framework_m import FrameworkM
from framework_m.adapters.db.schedule_schema import schedule_firing, scheduled_job
from framework_m.adapters.db.schedule_store import DatabaseScheduleStore
from framework_m.adapters.nats.streams import StreamLimits
from framework_m.adapters.scheduling.jetstream_scheduler import JetStreamScheduler
from framework_m.core.interfaces.schedule_store import Due, Pending
from framework_m.core.scheduling.firing import Fire, Round
from framework_m.core.scheduling.timing import zone
from framework_m.testing import MovableClock
from tests.support import jobs
from tests.support.due_times import croniter_between, on_plain_days, timing
from tests.support.harness import until

BEGIN = datetime(2023, 11, 1, tzinfo=UTC)
"""In the past: what waits in a NATS server for a time since then is overdue by its own clock."""
END = datetime(2025, 11, 1, tzinfo=UTC)
GRACE = timedelta(days=60)
"""Above every step of the clock: nothing is late."""
_OFTEN = 740
"""Due times in two years; of those that have more, as many around a change of the clocks."""
_PIECE = 150
_FEW = 24
_MONTH = timedelta(days=30)
_CHANGES = {
    "Europe/Berlin": datetime(2024, 3, 31, 1, tzinfo=UTC),
    "America/New_York": datetime(2024, 11, 3, 6, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2024, 4, 6, 15, tzinfo=UTC),
}
_NO_CHANGE = datetime(2024, 7, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A schedule, and the due times that it is to have."""

    expression: str
    zone: str
    begin: datetime
    end: datetime
    due: tuple[datetime, ...]

    @property
    def name(self) -> str:
        return f"{self.expression} {self.zone}".replace("/", "|")


def case_of(expression: str, zone_name: str) -> Case:
    begin, end = _bounds(expression, zone_name)
    where = zone(zone_name)
    own = list(timing(expression, zone_name).between(begin - timedelta(seconds=1), end))
    plain = set(on_plain_days(own, where))
    theirs = croniter_between(expression, where, begin - timedelta(seconds=1), end)
    due = [*on_plain_days(theirs, where), *(moment for moment in own if moment not in plain)]
    return Case(expression, zone_name, begin, end, tuple(sorted(due)))


def _bounds(expression: str, zone_name: str) -> tuple[datetime, datetime]:
    times = timing(expression, zone_name)
    if sum(1 for _ in islice(times.between(BEGIN, END), _OFTEN + 1)) <= _OFTEN:
        return BEGIN, END
    change = _CHANGES.get(zone_name, _NO_CHANGE)
    before = timedelta(seconds=_PIECE)
    while sum(1 for _ in islice(times.between(change - before, change), _PIECE)) < _PIECE:
        before *= 2
    after = list(islice(times.between(change, END), _PIECE))
    begin = list(times.between(change - before, change))[-_PIECE]
    return begin, after[-1]


async def save(app: FrameworkM, cases: Iterable[Case]) -> None:
    for case in cases:
        await app.schedule(
            jobs.add,
            case.expression,
            name=case.name,
            timezone=case.zone,
            start_date=case.begin,
            end_date=case.end,
            a=1,
        )


async def require_fired(app: FrameworkM, cases: Collection[Case]) -> None:
    """Each due time of each case, once, with its job, and nothing else."""
    firing = schedule_firing.c
    found: dict[str, list[datetime]] = defaultdict(list)
    rows = await app.ports.database.fetch(
        select(firing.schedule, firing.due_at).where(firing.job_id.is_not(None))
    )
    for row in rows:
        found[row.schedule].append(row.due_at)
    for case in cases:
        assert sorted(found.pop(case.name, [])) == list(case.due), case.name
    assert not found


async def fire_by_looks(app: FrameworkM, clock: MovableClock, step: timedelta) -> None:
    """RecordScheduler: the clock is moved to the next due time and a step beyond."""
    scheduler = app.ports.scheduler
    async with _running(scheduler):
        while (soonest := await _soonest(app)) is not None:
            clock.move_to(soonest + step)
            await scheduler.arm([Due("any", soonest)])
            await until(lambda: _nothing_is_due(app), deadline=60)


async def fire_by_messages(app: FrameworkM, clock: MovableClock, cases: Iterable[Case]) -> None:
    """JetStreamScheduler, by its messages alone: each finds the clock at its due time or later.

    The server takes up to a quarter of a second for each. So a schedule that has many due times
    finds a month of them due, and one that has few always the one that its message is for.
    """
    ports = app.ports
    assert ports.nats is not None
    store = _Unlooked(ports.database, ports.reserved)
    steps = {case.name: _MONTH for case in cases if len(case.due) > _FEW}
    fire = _AtItsTime(app, clock, steps, store)
    scheduler = JetStreamScheduler(
        ports.nats, app.settings.nats_prefix, StreamLimits(), store, fire, ports.broker
    )
    async with _running(scheduler):
        await until(lambda: _is_over(app), deadline=1800, pause=0.1)


class _Unlooked(DatabaseScheduleStore):
    """In which a look finds nothing: what is fired was told by a message."""

    async def pending(self, within: timedelta, limit: int) -> Sequence[Pending]:
        return []


class _AtItsTime(Fire):
    """Moves the clock to each schedule's due time, and a step beyond, before it is fired."""

    def __init__(
        self,
        app: FrameworkM,
        clock: MovableClock,
        steps: Mapping[str, timedelta],
        store: DatabaseScheduleStore,
    ) -> None:
        super().__init__(store, app.ports.units, app.ports.jobs, GRACE)
        self._app = app
        self._clock = clock
        self._steps = steps

    async def __call__(self, names: Collection[str]) -> Round:
        upcoming: list[Due] = []
        for name in names:
            due_at = await _soonest(self._app, scheduled_job.c.name == name)
            if due_at is not None:
                self._clock.move_to(due_at + self._steps.get(name, timedelta()))
                upcoming += (await super().__call__([name])).next
        return Round(upcoming, frozenset())


@contextlib.asynccontextmanager
async def _running(scheduler: Any) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(scheduler.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def _soonest(app: FrameworkM, *which: Any) -> datetime | None:
    wanted = select(func.min(scheduled_job.c.next_run)).where(*which)
    [[found]] = await app.ports.database.fetch(wanted)
    moment: datetime | None = found
    return moment


async def _nothing_is_due(app: FrameworkM) -> bool:
    return not await app.ports.schedule_store.pending(timedelta(), 1)


async def _is_over(app: FrameworkM) -> bool:
    return await _soonest(app) is None
