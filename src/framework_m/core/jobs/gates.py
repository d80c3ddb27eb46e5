"""GateOpener: lets jobs through gates that nobody else opens.

As a rule who leaves a gate lets the next one in. A rate limit opens by itself, with time; and a
raised limit, or a job that was deleted while it ran, leaves room that nobody leaves.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from framework_m.core.outage import looking

if TYPE_CHECKING:
    from framework_m.core.interfaces.job_store import JobStore, Room
    from framework_m.core.outbox.relay import Relay

logger = logging.getLogger(__name__)

_FORGET_EVERY = 60.0
_AT_ONCE = 1000
_LOOKS = 2


class GateOpener:
    """Looks every `interval` seconds, and when a rate has time again."""

    def __init__(self, store: JobStore, relay: Relay, interval: float) -> None:
        self._store = store
        self._relay = relay
        self._interval = interval
        self._seen: dict[str, _Seen] = {}
        """The gates that had room at the last look."""
        self._forgot_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, through outages and errors of any kind."""
        await looking(self.look, self._store.rates_closed, stop, who="opening gates")

    async def look(self) -> float:
        """Open what has room; how many seconds until the next look. Raises UnavailableError."""
        # Jittered, so that many processes do not look in step.
        wait = self._interval * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        after, before = "", self._seen
        self._seen = {}
        while True:
            report = await self._store.look_at_gates(after)
            due = {room.gate: self._due(room, before.get(room.gate)) for room in report.rooms}
            places = {gate: some for gate, some in due.items() if some}
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

    def _due(self, room: Room, before: _Seen | None) -> int:
        """How many to let in: what a rate has time for, at once.

        At another gate there always is room for a moment between a run and the next: letting in
        one more then would be letting in somebody before it is his turn. So only where the same
        job has stayed first for a while; or, where jobs come and go, what has stayed free for
        longer.
        """
        now = time.monotonic()
        seen = _Seen(room.first, now, now, room.places)
        if before is not None:
            first_since = before.first_since if before.first == room.first else now
            least = min(before.least, room.places)
            seen = _Seen(room.first, first_since, before.room_since, least)
        self._seen[room.gate] = seen
        if room.is_rate or now - seen.first_since >= self._interval / 2:
            return room.places
        if not room.is_limited and now - seen.room_since >= self._interval / 2:
            return room.places
        if now - seen.room_since >= self._interval * _LOOKS:
            self._seen[room.gate] = replace(seen, room_since=now, least=room.places)
            return seen.least
        return 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was found at a gate with room."""

    first: str
    first_since: float
    room_since: float
    least: int
    """How many places there were at each look since then."""
