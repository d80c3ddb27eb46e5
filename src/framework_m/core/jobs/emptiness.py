"""Emptiness: whether anything is left to do now, for a worker that ends when there is not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from framework_m.core.events.hosting import HandlerHost
    from framework_m.core.interfaces.job_store import JobStore
    from framework_m.core.interfaces.schedule_store import ScheduleStore
    from framework_m.core.jobs.gates import GateOpener
    from framework_m.core.jobs.parking import Unparker
    from framework_m.core.outbox.event_relay import EventRelay


class Emptiness:
    """Looks at what is stored, never at messages: these may lag behind their rows.

    Left to do are schedules that are due, jobs that are due in queues that are not paused, those
    that this worker runs, committed events that are not on the bus yet, and events that the
    application's groups have to handle now. What waits for its time does not count: scheduled
    jobs, retries, a rate limit.
    """

    def __init__(
        self,
        store: JobStore,
        relay: EventRelay,
        handlers: HandlerHost,
        schedules: ScheduleStore,
    ) -> None:
        self._store = store
        self._schedules = schedules
        self._relay = relay
        self._handlers = handlers

    async def mend(self, unparker: Unparker, opener: GateOpener) -> None:
        """Before the first look: make ready what waits only for somebody who notices.

        Raises UnavailableError.
        """
        await unparker.sweep()
        await opener.look()

    async def is_empty(self, queues: Sequence[str], worker: str, begun: Callable[[], int]) -> bool:
        """Whether nothing is left. Raises UnavailableError.

        begun: how many jobs the worker has begun so far.

        Jobs, outbox and groups are looked at one after the other, and work moves from each to the
        next: where there are groups, twice. What got past both looks was begun in between.
        """
        before = begun(), self._handlers.begun
        looks = 2 if self._handlers.has_groups else 1
        for _ in range(looks):
            if not await self._seems_empty(queues, worker):
                return False
        return (begun(), self._handlers.begun) == before

    async def _seems_empty(self, queues: Sequence[str], worker: str) -> bool:
        return not (
            await self._schedules.pending(timedelta(), 1)
            or await self._store.has_work(queues, worker)
            or await self._has_room()
            or await self._relay.is_behind()
            or await self._handlers.have_work()
        )

    async def _has_room(self) -> bool:
        """Whether jobs wait at a gate that has room: a limit was raised, or somebody died."""
        after = ""
        while True:
            report = await self._store.look_at_gates(after)
            if any(not room.is_rate for room in report.rooms):
                return True
            after = report.after
            if not after:
                return False
