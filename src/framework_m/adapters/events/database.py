"""DatabaseEventBus: the bus is a table, and groups are claimed like jobs."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.adapters.db.notifications import Listener
from framework_m.adapters.events.bus import EventBusBase
from framework_m.adapters.events.group_runner import GroupDelivery
from framework_m.core.errors import TopicError
from framework_m.core.events.topics import matches
from framework_m.core.interfaces.event_bus import ReceivedEvent
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.db.event_deliveries import EventDeliveries
    from framework_m.adapters.db.event_log import EventLog
    from framework_m.adapters.events.bus import BusOptions
    from framework_m.adapters.events.group_runner import Settled
    from framework_m.core.interfaces.event_bus import EventMessage, Subscription
    from framework_m.core.interfaces.event_store import DeadLetter
    from framework_m.core.metrics import Metrics

_BATCH = 500
_SHORTEST_POLL = 0.05
_PATTERNS_KEPT = 2.0
"""Seconds for which what groups want is remembered."""


def notify_channel(schema: str | None) -> str:
    """The PostgreSQL channel of one schema's events."""
    return f"framework_m_events_{schema}" if schema else "framework_m_events"


class DatabaseEventBus(EventBusBase):
    """Groups and tails are woken by whoever moves events here: in this process directly, on
    PostgreSQL by NOTIFY. They also poll, as workers do for jobs.
    """

    drains_outbox = True

    def __init__(
        self,
        options: BusOptions,
        metrics: Metrics,
        database: Database,
        log: EventLog,
        deliveries: EventDeliveries,
    ) -> None:
        super().__init__(options, metrics)
        self._database = database
        self._log = log
        self._deliveries = deliveries
        self._wakeup = Wakeup()
        self._listener: Listener | None = None
        self._patterns: Sequence[str] = ()
        self._patterns_until = 0.0

    async def start(self) -> None:
        if self._database.is_postgresql and self._listener is None:
            channel = notify_channel(self._database.schema)
            self._listener = Listener(self._database, channel, lambda _: self._wakeup.call())
            self._listener.start()

    async def close(self) -> None:
        await super().close()
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    async def publish_many(self, messages: Sequence[EventMessage]) -> None:
        if messages:
            await self._log.append(messages)
            self._moved(len(messages))

    async def drain(self) -> int:
        total, moved = 0, _BATCH
        while moved == _BATCH:  # fewer: what has come since has its own relay
            moved = await self._log.drain(_BATCH)
            total += moved
            if moved:
                self._moved(moved)
        return total

    async def define(self, subscription: Subscription) -> None:
        assert subscription.group is not None, "only groups are defined"  # noqa: S101
        await self._log.define(subscription.group, subscription)
        self._patterns_until = 0.0

    async def redrive(self, letter: DeadLetter) -> None:
        if letter.message is None:
            raise TopicError(letter.group, "the dead letter came over another bus")
        await self._deliveries.add(letter.group, letter)
        self._wakeup.call()

    async def hears(self, topics: Sequence[str]) -> bool:
        if self.hears_here(topics):
            return True
        if time.monotonic() >= self._patterns_until:
            self._patterns = await self._log.patterns()
            self._patterns_until = time.monotonic() + _PATTERNS_KEPT
        return any(matches(pattern, topic) for pattern in self._patterns for topic in topics)

    async def waits(self, subscription: Subscription) -> bool:
        group = subscription.group or ""
        return await self._deliveries.has_work(group, ordered=subscription.ordered)

    async def lag(self) -> Mapping[str, int]:
        return await self._log.lag()

    async def forget_group(self, group: str) -> bool:
        return await self._deliveries.forget_group(group)

    async def source(self, subscription: Subscription) -> DatabaseGroup:
        return DatabaseGroup(
            subscription,
            self._deliveries,
            self._wakeup,
            self.options,
            is_told=self._database.is_postgresql,
        )

    async def tail(self, subscription: Subscription) -> _DatabaseTail:
        after = await self._log.position(subscription.start)
        return _DatabaseTail(self, subscription.topic, after)

    async def read(self, after: int) -> Sequence[tuple[int, EventMessage]]:
        """The events after a sequence, waiting for some."""
        seen = self._wakeup.calls
        found = await self._log.read(after, _BATCH)
        if not found:
            patience = self.options.poll_interval
            if not self._database.is_postgresql:
                patience = min(patience, 2 * _SHORTEST_POLL)
            await self._wakeup.wait_beyond(seen, patience)
        return found

    def _moved(self, count: int) -> None:
        self.metrics.count("published", by=count)
        self._wakeup.call()


class DatabaseGroup:
    """One member's share of a group whose deliveries are rows."""

    def __init__(
        self,
        subscription: Subscription,
        deliveries: EventDeliveries,
        wakeup: Wakeup,
        options: BusOptions,
        *,
        is_told: bool,
    ) -> None:
        assert subscription.group is not None, "only groups have sources"  # noqa: S101
        self._group = subscription.group
        self._ordered = subscription.ordered
        self._deliveries = deliveries
        self._wakeup = wakeup
        self._lease = timedelta(seconds=options.lease)
        self._poll_interval = options.poll_interval
        self._is_told = is_told
        self._idle_rounds = 0

    async def take(self, limit: int) -> Sequence[GroupDelivery]:
        seen = self._wakeup.calls
        claimed = await self._deliveries.claim(
            self._group, min(limit, _BATCH), ordered=self._ordered, lease=self._lease
        )
        if claimed:
            self._idle_rounds = 0
            return [
                GroupDelivery(
                    ReceivedEvent(
                        delivery.message, self._group, delivery.attempt, delivery.sequence
                    ),
                    delivery,
                )
                for delivery in claimed
            ]
        self._idle_rounds += 1
        await self._wakeup.wait_beyond(seen, await self._patience())
        return []

    def interrupt(self) -> None:
        self._wakeup.call()

    async def settle(self, outcomes: Sequence[Settled]) -> None:
        done = [o.delivery.receipt for o in outcomes if o.again_after is None and o.letter is None]
        again = [(o.delivery.receipt, o.again_after) for o in outcomes if o.again_after is not None]
        dead = [(o.delivery.receipt, o.letter) for o in outcomes if o.letter is not None]
        await self._deliveries.settle(done, again, dead)
        if self._ordered or again:
            self._wakeup.call()  # what they held back may go; or somebody waits too long now

    async def give_back(self, deliveries: Sequence[GroupDelivery]) -> None:
        await self._deliveries.release([delivery.receipt for delivery in deliveries])

    async def renew(self, deliveries: Sequence[GroupDelivery]) -> None:
        await self._deliveries.renew([delivery.receipt for delivery in deliveries], self._lease)

    async def close(self) -> None:
        """Nothing is on its way."""

    async def _patience(self) -> float:
        patience = self._poll_interval
        if not self._is_told:
            patience = min(patience, _SHORTEST_POLL * 2 ** min(self._idle_rounds - 1, 20))
        due = await self._deliveries.next_due(self._group, ordered=self._ordered)
        return patience if due is None else max(0.005, min(patience, due.total_seconds()))


class _DatabaseTail:
    def __init__(self, bus: DatabaseEventBus, topic: str, after: int) -> None:
        self._bus = bus
        self._topic = topic
        self._after = after

    async def read(self) -> Sequence[ReceivedEvent]:
        found = await self._bus.read(self._after)
        if found:
            self._after = found[-1][0]
        return [
            ReceivedEvent(message, sequence=sequence)
            for sequence, message in found
            if matches(self._topic, message.topic)
        ]

    async def close(self) -> None:
        """Nothing is held."""
