"""What the buses share: their subscriptions."""

from __future__ import annotations

import abc
import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.adapters.events.broadcast import Broadcast
from framework_m.adapters.events.group_runner import BEGUN, GroupRunner
from framework_m.core.errors import TopicError
from framework_m.core.events.envelope import written
from framework_m.core.events.topics import checked_pattern, matches
from framework_m.core.interfaces.event_bus import DeliveryTerms, Subscription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from framework_m.adapters.events.broadcast import Tail
    from framework_m.adapters.events.group_runner import GroupSource
    from framework_m.core.events.envelope import BaseEvent
    from framework_m.core.interfaces.event_bus import EventCallback, EventMessage, Start
    from framework_m.core.interfaces.event_store import DeadLetter
    from framework_m.core.metrics import Metrics

LONGEST_GROUP = 200


@dataclass(frozen=True, slots=True)
class BusOptions:
    """What all buses are told. Durations in seconds."""

    lease: float
    stop_grace: float
    poll_interval: float
    retention: timedelta
    source: str


class EventBusBase(abc.ABC):
    """Subscriptions by identity; what differs is where their events come from."""

    drains_outbox = False
    survives_restarts = True

    def __init__(self, options: BusOptions, metrics: Metrics) -> None:
        self.options = options
        self.metrics = metrics
        self._running: dict[int, tuple[Subscription, GroupRunner | Broadcast]] = {}

    @property
    def has_groups(self) -> bool:
        return any(subscription.group for subscription, _ in self._running.values())

    @property
    def begun(self) -> int:
        return self.metrics.value(BEGUN)

    async def has_work(self, subscriptions: Sequence[Subscription]) -> bool:
        running = list(self._running.values())
        if any(isinstance(runner, GroupRunner) and runner.is_busy for _, runner in running):
            return True
        groups = {it.group: it for it in (*subscriptions, *(it for it, _ in running)) if it.group}
        for subscription in groups.values():
            if await self.waits(subscription):
                return True
        return False

    @abc.abstractmethod
    async def waits(self, subscription: Subscription) -> bool:
        """Whether this group has an event to handle now, or somebody is at one."""

    async def start(self) -> None:  # noqa: B027 - not every bus has
        """Nothing to connect, unless an adapter says so."""

    async def close(self) -> None:
        running, self._running = self._running, {}
        await asyncio.gather(*(runner.close() for _, runner in running.values()))

    async def publish(self, topic: str, event: BaseEvent) -> None:
        await self.publish_many([written(event, topic, source=self.options.source)])

    @abc.abstractmethod
    async def publish_many(self, messages: Sequence[EventMessage]) -> None: ...

    async def drain(self) -> int:
        return 0

    async def subscribe(
        self,
        topic: str,
        handler: EventCallback,
        *,
        group: str | None = None,
        ordered: bool = False,
        start: Start = None,
        terms: DeliveryTerms | None = None,
    ) -> Subscription:
        terms = terms or DeliveryTerms()
        subscription = Subscription(
            checked_pattern(topic), handler, _checked_group(group), ordered, start, terms
        )
        runner = await self._runner(subscription)
        self._running[id(subscription)] = subscription, runner
        runner.start()
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        found = self._running.pop(id(subscription), None)
        if found is not None:
            await found[1].close()

    @abc.abstractmethod
    async def define(self, subscription: Subscription) -> None: ...

    @abc.abstractmethod
    async def redrive(self, letter: DeadLetter) -> None: ...

    async def hears(self, topics: Sequence[str]) -> bool:
        """Unless an adapter knows better, somebody does."""
        return True

    def hears_here(self, topics: Sequence[str]) -> bool:
        """Whether a subscription of this process does."""
        wanted = [subscription.topic for subscription, _ in self._running.values()]
        return any(matches(pattern, topic) for pattern in wanted for topic in topics)

    @abc.abstractmethod
    async def lag(self) -> Mapping[str, int]: ...

    @abc.abstractmethod
    async def forget_group(self, group: str) -> bool: ...

    @abc.abstractmethod
    async def source(self, subscription: Subscription) -> GroupSource:
        """A member's share of a group that exists."""

    @abc.abstractmethod
    async def tail(self, subscription: Subscription) -> Tail:
        """A place to read from; what is published after the return is not missed."""

    async def _runner(self, subscription: Subscription) -> GroupRunner | Broadcast:
        if subscription.group is None:
            return Broadcast(await self.tail(subscription), subscription, self.metrics)
        await self.define(subscription)
        source = await self.source(subscription)
        lease, grace = self.options.lease, self.options.stop_grace
        return GroupRunner(source, subscription, self.metrics, lease=lease, stop_grace=grace)


def _checked_group(group: str | None) -> str | None:
    allowed = group is None or (
        len(group) <= LONGEST_GROUP and group.replace("-", "").replace("_", "").isalnum()
    )
    if not allowed or (group is not None and not group.isascii()):
        raise TopicError(str(group), "a group's name is made of A-Z a-z 0-9 _ -")
    return group
