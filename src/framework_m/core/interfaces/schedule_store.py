"""Port: what the database keeps of schedules, beside what people say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from framework_m.core.doctypes.scheduled_job import ScheduleStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta

    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule and its next due time."""

    schedule: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Pending(Due):
    """The same, and how far off that is by the database's clock: below zero once it is due."""

    left: timedelta


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A ScheduledJob record as it stands in the database, whatever its fields hold.

    `args` is JSON text.
    """

    name: str
    function: str
    cron_expression: str
    timezone: str
    args: str
    queue: str | None
    priority: int | None
    overlap: str
    catch_up: str
    catch_up_window: float
    start_date: datetime | None
    end_date: datetime | None
    jitter: float
    next_run: datetime


@dataclass(frozen=True, slots=True)
class Locked:
    """Schedules that are due, and nobody else's to fire until the transaction ends."""

    now: datetime
    """By the database's clock."""
    schedules: Sequence[StoredSchedule]
    busy: frozenset[str] = frozenset()
    """Of those that were asked for: due, but in somebody else's hands just now."""
    ahead: Sequence[Due] = ()
    """Of those that were asked for: due only then."""


@dataclass(frozen=True, slots=True)
class Firing:
    """What became of one due time, or of several that were missed together."""

    schedule: str
    due_at: datetime
    status: ScheduleStatus
    job_id: str | None = None
    count: int = 1
    """How many due times this is about; of many, at least so many."""
    until: datetime | None = None
    """The last of them, if it is about more than one."""
    detail: str | None = None
    """Why there is no job."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A schedule after its turn."""

    name: str
    next_run: datetime | None
    firings: Sequence[Firing]


@dataclass(frozen=True, slots=True)
class PastFiring:
    """An entry of a schedule's history; `status` is that of its job by now, if there is one."""

    schedule: str
    due_at: datetime
    fired_at: datetime
    status: ScheduleStatus
    job_id: str | None
    count: int
    until: datetime | None
    detail: str | None
    started_at: datetime | None
    """When the job's first attempt began, as far as that is known."""


@dataclass(frozen=True, slots=True)
class ScheduleStanding:
    """How a schedule stands, whatever its fields hold; `last_status` as of now."""

    name: str
    function: str
    cron_expression: str
    timezone: str
    description: str | None
    enabled: bool
    declared_in: str | None
    start_date: datetime | None
    end_date: datetime | None
    next_run: datetime | None
    last_run: datetime | None
    last_job: str | None
    last_status: ScheduleStatus | None
    last_started_at: datetime | None
    """When the first attempt of the last job began, as far as that is known."""


class ScheduleStore(Protocol):
    """Reads what is due, and writes what became of it. Raises UnavailableError, nothing else.

    Who fires holds the schedule's row, and has to find in it the due time that it came for:
    so each due time is fired once, however many processes try (invariant 9).
    """

    async def pending(self, within: timedelta, limit: int) -> Sequence[Pending]:
        """The enabled schedules that are due by then, the most overdue first."""

    async def standings(self, name: str | None = None) -> Sequence[ScheduleStanding]:
        """Of all schedules, by name; or of one, if there is one."""

    async def lock(self, unit: UnitOfWorkProtocol, names: Collection[str]) -> Locked:
        """Those of them that are enabled and due. Waits for nobody.

        What follows in this transaction raises LockTimeoutError rather than wait for somebody.
        """

    async def hold(self, unit: UnitOfWorkProtocol, name: str) -> Locked:
        """The same of one, for whoever is about to change it: waits for others."""

    async def busy_with(self, unit: UnitOfWorkProtocol, names: Collection[str]) -> frozenset[str]:
        """Those that have a job which has not ended."""

    async def existing(self, unit: UnitOfWorkProtocol, job_ids: Collection[str]) -> frozenset[str]:
        """Those of these jobs that are there."""

    async def write(self, unit: UnitOfWorkProtocol, fired: Sequence[Fired]) -> None:
        """The next due times, and what became of the last ones."""

    async def follow(self) -> None:
        """Bring every `last_status` up to how the job stands by now."""

    async def history(
        self, schedule: str, *, limit: int, before: datetime | None = None
    ) -> Sequence[PastFiring]:
        """What became of its due times, newest first; `before` is the last one of a page."""

    async def forget(self, older_than: timedelta, limit: int) -> int:
        """Remove entries of the history that are older, so many at most; how many it removed."""
