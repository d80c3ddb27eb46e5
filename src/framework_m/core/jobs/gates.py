"""GateOpener: lets jobs through gates that nobody else opens.

As a rule who leaves a gate lets the next one in. A rate limit opens by itself, with time; and a
raised limit, or a job that was deleted while it ran, leaves room that nobody leaves.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError
from framework_m.core.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from framework_m.core.interfaces.job_store import JobStore, Room
    from framework_m.core.outbox.relay import Relay

logger = logging.getLogger(__name__)

_FORGET_EVERY = 60.0
_AT_ONCE = 1000


class GateOpener:
    """Looks every `interval` seconds, and when a rate has time again."""

    def __init__(self, store: JobStore, relay: Relay, interval: float) -> None:
        self._store = store
        self._relay = relay
        self._interval = interval
        self._waiting: dict[str, tuple[str, float]] = {}
        """By gate with room: who is first there, and since when."""
        self._forgot_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, through outages and errors of any kind."""
        outage = Outage("gates")
        interrupted = asyncio.create_task(self._interrupt_on(stop))
        while not stop.is_set():
            seen = self._store.rates_closed.calls
            try:
                wait = await self.look()
            except UnavailableError as error:
                await outage.wait(error, stop)
                continue
            except Exception:
                logger.exception("opening gates failed; it goes on")
                wait = self._interval
            outage.over()
            await self._store.rates_closed.wait_beyond(seen, wait)
        await interrupted

    async def look(self) -> float:
        """Open what has room; how many seconds until the next look. Raises UnavailableError."""
        # Jittered, so that many processes do not look in step.
        wait = self._interval * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        after, waiting = "", self._waiting
        self._waiting = {}
        while True:
            report = await self._store.look_at_gates(after)
            places = {
                room.gate: room.places for room in report.rooms if self._is_due(room, waiting)
            }
            if places:
                await self._relay.publish(await self._store.let_through(places))
            if report.wait is not None:
                wait = min(wait, report.wait.total_seconds())
            after = report.after
            if not after:
                break
        await self._forget_rates()
        return wait

    async def _forget_rates(self) -> None:
        """Now and then: those of keys that come no more would pile up."""
        if time.monotonic() - self._forgot_at > _FORGET_EVERY:
            while await self._store.forget_rates(_AT_ONCE) == _AT_ONCE:
                continue
            self._forgot_at = time.monotonic()

    def _is_due(self, room: Room, waiting: Mapping[str, tuple[str, float]]) -> bool:
        """A rate's at once. Another only where the same job has been first for a while.

        Between a run and the next there always is room for a moment: letting in one more then
        would be letting in somebody before it is his turn.
        """
        now = time.monotonic()
        first, since = waiting.get(room.gate, ("", now))
        if first != room.first:
            since = now
        self._waiting[room.gate] = (room.first, since)
        return room.is_rate or now - since >= self._interval / 2

    async def _interrupt_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._store.rates_closed.call()
