"""InMemoryEventBus: events in this process. For tests and one process."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from framework_m.adapters.events.bus import EventBusBase
from framework_m.adapters.events.group_runner import GroupDelivery
from framework_m.core import clock
from framework_m.core.errors import TopicError
from framework_m.core.events.topics import matches
from framework_m.core.interfaces.event_bus import ReceivedEvent
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from framework_m.adapters.events.bus import BusOptions
    from framework_m.adapters.events.group_runner import Settled
    from framework_m.core.interfaces.event_bus import EventMessage, Start, Subscription
    from framework_m.core.interfaces.event_store import DeadLetter, DeadLetterStore
    from framework_m.core.metrics import Metrics

_PATIENCE = 60.0
_KEPT = 10_000
"""Events that can be replayed; and ids that are known again."""


@dataclass(slots=True)
class _Entry:
    sequence: int
    at: datetime
    message: EventMessage


@dataclass(slots=True)
class _Group:
    """The events that one group has still to handle."""

    topic: str
    ordered: bool
    attempts: dict[int, int] = field(default_factory=dict)
    waiting: dict[int, _Entry] = field(default_factory=dict)
    ready: list[int] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    by_key: dict[str, deque[int]] = field(default_factory=dict)
    wakeup: Wakeup = field(default_factory=Wakeup)

    def add(self, entry: _Entry) -> None:
        self.waiting[entry.sequence] = entry
        self.attempts.setdefault(entry.sequence, 0)
        key = entry.message.key
        if self.ordered and key is not None:
            queue = self.by_key.setdefault(key, deque())
            queue.append(entry.sequence)
            if len(queue) > 1:
                return  # it waits for those before it
        self.offer(entry.sequence)

    def offer(self, sequence: int) -> None:
        self.held.discard(sequence)
        heapq.heappush(self.ready, sequence)
        self.wakeup.call()

    def take(self, limit: int) -> list[_Entry]:
        taken: list[_Entry] = []
        while self.ready and len(taken) < limit:
            sequence = heapq.heappop(self.ready)
            self.held.add(sequence)
            self.attempts[sequence] += 1
            taken.append(self.waiting[sequence])
        return taken

    def gone(self, sequence: int) -> None:
        """It is settled: the next of its key may go."""
        self.held.discard(sequence)
        self.attempts.pop(sequence, None)
        entry = self.waiting.pop(sequence, None)
        key = None if entry is None else entry.message.key
        if key is not None and key in self.by_key:
            queue = self.by_key[key]
            queue.popleft()
            if queue:
                self.offer(queue[0])
            else:
                del self.by_key[key]


class InMemoryEventBus(EventBusBase):
    """Groups die with the process, and what waits in them, too.

    Dead letters are kept where those of any bus are.
    """

    survives_restarts = False

    def __init__(self, options: BusOptions, metrics: Metrics, letters: DeadLetterStore) -> None:
        super().__init__(options, metrics)
        self._letters = letters
        self._log: deque[_Entry] = deque(maxlen=_KEPT)
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._sequences = itertools.count(1)
        self._groups: dict[str, _Group] = {}
        self._tails: set[_MemoryTail] = set()

    async def publish_many(self, messages: Sequence[EventMessage]) -> None:
        for message in messages:
            if message.event_id in self._ids:
                continue
            self._ids[message.event_id] = None
            if len(self._ids) > _KEPT:
                self._ids.popitem(last=False)
            entry = _Entry(next(self._sequences), clock.now(), message)
            self._log.append(entry)
            self.metrics.count("published", message.topic)
            for group in self._groups.values():
                if matches(group.topic, message.topic):
                    group.add(entry)
            for tail in self._tails:
                tail.add(entry)

    async def define(self, subscription: Subscription) -> None:
        assert subscription.group is not None, "only groups are defined"  # noqa: S101
        if subscription.group in self._groups:
            return
        group = _Group(subscription.topic, subscription.ordered)
        self._groups[subscription.group] = group
        for entry in self._since(subscription.start, subscription.topic):
            group.add(entry)

    async def redrive(self, letter: DeadLetter) -> None:
        group = self._groups.get(letter.group)
        if group is None or letter.message is None:
            raise TopicError(letter.group, "no group of this name is in this process")
        group.add(_Entry(next(self._sequences), clock.now(), letter.message))

    async def hears(self, topics: Sequence[str]) -> bool:
        if self.hears_here(topics):
            return True
        wanted = [group.topic for group in self._groups.values()]
        return any(matches(pattern, topic) for pattern in wanted for topic in topics)

    async def forget_group(self, group: str) -> bool:
        return self._groups.pop(group, None) is not None

    async def lag(self) -> Mapping[str, int]:
        return {name: len(group.waiting) for name, group in self._groups.items()}

    async def waits(self, subscription: Subscription) -> bool:
        group = self._groups.get(subscription.group or "")
        return group is not None and bool(group.ready or group.held)

    async def source(self, subscription: Subscription) -> _MemoryGroup:
        assert subscription.group is not None, "only groups have sources"  # noqa: S101
        name = subscription.group
        return _MemoryGroup(name, self._groups[name], self._letters)

    async def tail(self, subscription: Subscription) -> _MemoryTail:
        tail = _MemoryTail(subscription.topic, self._tails)
        for entry in self._since(subscription.start, subscription.topic):
            tail.add(entry)
        return tail

    def _since(self, start: Start, topic: str) -> list[_Entry]:
        if start is None:
            return []
        return [
            entry
            for entry in self._log
            if (entry.sequence if isinstance(start, int) else entry.at) >= start  # type: ignore[operator]
            and matches(topic, entry.message.topic)
        ]


class _MemoryGroup:
    """One member's share."""

    def __init__(self, name: str, group: _Group, letters: DeadLetterStore) -> None:
        self._name = name
        self._group = group
        self._letters = letters
        self._timers: dict[int, asyncio.TimerHandle] = {}

    async def take(self, limit: int) -> Sequence[GroupDelivery]:
        seen = self._group.wakeup.calls
        taken = self._group.take(limit)
        if not taken:
            await self._group.wakeup.wait_beyond(seen, _PATIENCE)
        return [
            GroupDelivery(
                ReceivedEvent(
                    entry.message, self._name, self._group.attempts[entry.sequence], entry.sequence
                ),
                entry.sequence,
            )
            for entry in taken
        ]

    def interrupt(self) -> None:
        self._group.wakeup.call()

    async def settle(self, outcomes: Sequence[Settled]) -> None:
        letters = [outcome.letter for outcome in outcomes if outcome.letter is not None]
        if letters:
            await self._letters.add(letters)
        for outcome in outcomes:
            sequence = outcome.delivery.receipt
            if outcome.again_after is None:
                self._group.gone(sequence)
            else:
                wait = outcome.again_after.total_seconds()
                self._group.held.discard(sequence)
                self._timers[sequence] = asyncio.get_running_loop().call_later(
                    wait, self._again, sequence
                )

    async def give_back(self, deliveries: Sequence[GroupDelivery]) -> None:
        for delivery in deliveries:
            self._group.attempts[delivery.receipt] -= 1
            self._group.offer(delivery.receipt)

    async def renew(self, deliveries: Sequence[GroupDelivery]) -> None:
        """Nobody else could take them."""

    async def close(self) -> None:
        """Who waits for another attempt waits for another member."""
        for sequence, timer in self._timers.items():
            timer.cancel()
            self._group.offer(sequence)
        self._timers.clear()

    def _again(self, sequence: int) -> None:
        del self._timers[sequence]
        self._group.offer(sequence)


class _MemoryTail:
    def __init__(self, topic: str, tails: set[_MemoryTail]) -> None:
        self._topic = topic
        self._entries: list[_Entry] = []
        self._arrived = asyncio.Event()
        self._tails = tails
        tails.add(self)

    def add(self, entry: _Entry) -> None:
        if matches(self._topic, entry.message.topic):
            self._entries.append(entry)
            self._arrived.set()

    async def read(self) -> Sequence[ReceivedEvent]:
        await self._arrived.wait()
        self._arrived.clear()
        entries, self._entries = self._entries, []
        return [ReceivedEvent(entry.message, sequence=entry.sequence) for entry in entries]

    async def close(self) -> None:
        with contextlib.suppress(KeyError):
            self._tails.remove(self)
