"""ScheduleKeeper: ScheduledJob records are checked and completed before they are written."""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from framework_m.core import clock
from framework_m.core.doctypes.base import stored_values
from framework_m.core.doctypes.scheduled_job import (
    DEFINITION,
    KEPT,
    TIMING,
    ScheduledJob,
    ScheduleStatus,
)
from framework_m.core.errors import DocumentStateError, FieldError, InvalidDocumentError
from framework_m.core.interfaces.schedule_store import Due

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from framework_m.core.interfaces.record_keeper import Change
    from framework_m.core.interfaces.scheduler import SchedulerProtocol
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol
    from framework_m.core.scheduling.firing import Fire
    from framework_m.core.scheduling.settling import Settling
    from framework_m.core.scheduling.timing import Timing

_NEEDED = ("function", "cron_expression")
_declaring: ContextVar[str | None] = ContextVar("framework_m_declaring", default=None)


@contextmanager
def declaring(module: str) -> Iterator[None]:
    """What is saved or deleted in the block is so by what this module declares."""
    token = _declaring.set(module)
    try:
        yield
    finally:
        _declaring.reset(token)


class ScheduleKeeper:
    """The RecordKeeper of schedules."""

    def __init__(self, settling: Settling, scheduler: SchedulerProtocol, fire: Fire) -> None:
        self._settling = settling
        self._scheduler = scheduler
        self._fire = fire

    async def prepare(self, schedule: ScheduledJob, unit: UnitOfWorkProtocol) -> None:
        stored = _stored(schedule)
        # Whoever sends back what was read sends these, too, as they were then.
        schedule.__dict__.update({name: stored.get(name) for name in KEPT})
        _require_ours(schedule, stored)
        timing, errors = self._settling.settle(schedule)
        if (errors or timing is None) and _is_only_disabled(schedule, stored):
            schedule.__dict__["next_run"] = None
            return
        if errors or timing is None:
            raise InvalidDocumentError(ScheduledJob.__name__, schedule.name or None, errors)
        schedule.__dict__["next_run"] = await self._settle_next(schedule, timing, stored, unit)

    async def _settle_next(
        self,
        schedule: ScheduledJob,
        timing: Timing,
        stored: Mapping[str, Any],
        unit: UnitOfWorkProtocol,
    ) -> datetime | None:
        """When it is due next: the stored time, unless it has other times by now.

        One that has passed was promised, and fires with its old times, unless it has ended then.
        """
        if not schedule.enabled:
            return None
        now, known = clock.now(), stored.get("next_run")
        is_same = stored and all(getattr(schedule, name) == stored[name] for name in TIMING)
        if known is None:
            return timing.after(now)
        if is_same:  # somebody may be firing it just now
            return cast("datetime", known)
        # What this transaction itself has saved before was never anybody's to fire.
        is_seen = stored["modified"] < unit.began_at
        if known <= now and is_seen and timing.spans(known):
            await self._fire.before_an_edit(unit, schedule.name)
        return timing.after(now)

    def faults(self, schedule: ScheduledJob) -> Sequence[FieldError]:
        for name in _NEEDED:  # what is not there is found to be no good, and told by others
            schedule.__dict__.setdefault(name, "")
        _, errors = self._settling.settle(schedule)
        return errors

    def require_removable(self, schedule: ScheduledJob) -> None:
        if schedule.declared_in is not None and _declaring.get() is None:
            raise DocumentStateError(
                ScheduledJob.__name__,
                schedule.name,
                f"declared in {schedule.declared_in}",
                "deleted here, only disabled",
            )

    def changed(self, schedule: ScheduledJob) -> Change:
        name, next_run = schedule.name, schedule.next_run
        if next_run is None:
            return lambda: self._scheduler.disarm([name])
        return lambda: self._scheduler.arm([Due(name, next_run)])

    def removed(self, schedule: ScheduledJob) -> Change:
        name = schedule.name
        return lambda: self._scheduler.disarm([name])


def _stored(schedule: ScheduledJob) -> Mapping[str, Any]:
    """What the database held, as the fields hold it; nothing of a new one."""
    row = stored_values(schedule)
    if row is None:
        return {}
    status = row["last_status"]
    read = {"args": json.loads(row["args"]), "last_status": status and ScheduleStatus(status)}
    return {**row, **read}


def _require_ours(schedule: ScheduledJob, stored: Mapping[str, Any]) -> None:
    """Code owns what it declares, all but `enabled`. Raises InvalidDocumentError."""
    module = _declaring.get()
    if module is not None:
        schedule.__dict__["declared_in"] = module
    elif schedule.declared_in is not None:
        told = f"is declared in {schedule.declared_in}: only `enabled` can be changed here"
        changed = [name for name in DEFINITION if getattr(schedule, name) != stored[name]]
        if changed:
            errors = [FieldError(name, told) for name in changed]
            raise InvalidDocumentError(ScheduledJob.__name__, schedule.name, errors)


def _is_only_disabled(schedule: ScheduledJob, stored: Mapping[str, Any]) -> bool:
    """Allowed whatever is wrong by now: a deploy may have removed its function."""
    is_same = stored and all(getattr(schedule, name) == stored[name] for name in DEFINITION)
    return bool(is_same) and not schedule.enabled
