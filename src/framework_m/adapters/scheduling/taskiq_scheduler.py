"""RecordScheduler: a taskiq scheduler that goes by the records, in any number of processes.

Mended (taskiq 0.13): two scheduler loops fire everything twice; one schedule that cannot be read
hides all the others; new schedules are seen after a minute, changed ones after that; due times are
guessed from the minute that it is, so that one second's delay may lose them.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from taskiq import ScheduledTask, ScheduleSource, TaskiqScheduler

from framework_m.core.outage import every, looking
from framework_m.core.scheduling.firing import all_of
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from taskiq import AsyncBroker

    from framework_m.core.interfaces.schedule_store import Due, Pending, ScheduleStore
    from framework_m.core.scheduling.firing import Fire

logger = logging.getLogger(__name__)

_INTERVAL = 1.0
"""Seconds between looks at the records: how soon a change in another process is noticed."""
_BUSY = 0.25
_AT_ONCE = 100
_NOW = timedelta()


class RecordSource(ScheduleSource):
    """The ScheduledJob records, each as a task for its next due time."""

    def __init__(self, store: ScheduleStore) -> None:
        self._store = store

    async def get_schedules(self) -> list[ScheduledTask]:
        pending = await self._store.pending(timedelta(seconds=_INTERVAL), _AT_ONCE)
        return [_in_words_of_taskiq(it) for it in pending]


class RecordScheduler(TaskiqScheduler):
    """Looks at the records every second, and at each due time that is ahead until the next look.

    Driven by its own `run`; taskiq's loop (`taskiq scheduler`) does, too, if it looks often enough.

    late: how long a due time is left to somebody else.
    fired: told of the next due times.
    """

    def __init__(
        self,
        broker: AsyncBroker,
        store: ScheduleStore,
        fire: Fire,
        *,
        late: timedelta = _NOW,
        fired: Callable[[Sequence[Due]], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(broker, [RecordSource(store)])
        self._store = store
        self._fire = fire
        self._late = late
        self._fired = fired
        self._wakeup = Wakeup()
        self._stuck: frozenset[str] = frozenset()
        """What was due at the last look and could not be fired: locked, or broken."""

    async def startup(self) -> None:
        """Nothing: the broker is the application's."""

    async def shutdown(self) -> None:
        """Nothing, likewise."""

    async def on_ready(self, source: ScheduleSource, task: ScheduledTask) -> None:
        """taskiq's loop says that it is time."""
        await self._fire([task.labels["schedule"]])

    async def arm(self, due: Sequence[Due]) -> None:
        self._wakeup.call()

    async def disarm(self, schedules: Collection[str]) -> None:
        """The records have told."""

    async def close(self) -> None:
        """Nothing is on its way."""

    async def run(self, stop: asyncio.Event) -> None:
        following = every(_INTERVAL, self._store.follow, stop, who="outcomes of schedules")
        looks = looking(self._look, self._wakeup, stop, who="schedules")
        await asyncio.gather(looks, following)

    async def _look(self) -> float:
        """Fire what is due; how many seconds until the next look."""
        ahead = timedelta(seconds=_INTERVAL)
        # Those that cannot be fired stay the most overdue, however many they are.
        limit = _AT_ONCE + len(self._stuck)
        pending = await self._store.pending(ahead - self._late, limit)
        due = [it.schedule for it in pending if it.left <= -self._late]
        if not due:
            self._stuck = frozenset()
            soonest = min((it.left + self._late for it in pending), default=ahead)
            return max(0.0, soonest.total_seconds())
        # Those come last: one that waits for somebody's transaction keeps none waiting.
        fresh = [name for name in due if name not in self._stuck]
        stuck = [name for name in due if name in self._stuck]
        done = all_of([await self._fire(names) for names in (fresh, stuck) if names])
        self._stuck = done.busy | done.failed
        if self._fired is not None:
            await self._fired(done.next)
        if done.failed:
            return _INTERVAL
        return _BUSY if done.busy else 0.0


def _in_words_of_taskiq(pending: Pending) -> ScheduledTask:
    known: dict[str, Any] = {"args": [], "kwargs": {}}
    return ScheduledTask(
        task_name="framework_m.fire",
        labels={"schedule": pending.schedule},
        schedule_id=f"{pending.due_at.isoformat()} {pending.schedule}",
        time=pending.due_at,
        **known,
    )
