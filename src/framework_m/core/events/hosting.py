"""Hosting: which of an application's handlers run in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError
from framework_m.core.events.handling import Handling
from framework_m.core.interfaces.event_bus import Subscription
from framework_m.core.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from framework_m.core.context import Services
    from framework_m.core.events.registry import HandlerRegistry, RegisteredHandler
    from framework_m.core.interfaces.event_bus import EventBusProtocol
    from framework_m.core.interfaces.event_store import InboxStore


class HandlerHost:
    """Subscribes handlers while somebody hosts them, once however many do.

    Broadcast handlers run in every process that serves or works, those of groups in workers.
    """

    def __init__(self, registry: HandlerRegistry, bus: EventBusProtocol, inbox: InboxStore) -> None:
        self._registry = registry
        self._bus = bus
        self.inbox = inbox
        self._groups = self._broadcasts = _Hosted(bus, [])

    def bind(self, services: Services) -> None:
        """What handlers find in their context; before anything else."""
        wanted = [_subscription(handler, services, self.inbox) for handler in self._registry]
        self._groups = _Hosted(self._bus, [s for s in wanted if s.group is not None])
        self._broadcasts = _Hosted(self._bus, [s for s in wanted if s.group is None])

    async def define(self) -> None:
        """See to it that every group exists: events wait for it from now on.

        Raises UnavailableError.
        """
        for subscription in self._groups.subscriptions:
            await self._bus.define(subscription)

    @property
    def has_groups(self) -> bool:
        return bool(self._groups.subscriptions) or self._bus.has_groups

    @property
    def begun(self) -> int:
        """How many events groups have begun to handle in this process, so far."""
        return self._bus.begun

    async def have_work(self) -> bool:
        """Whether a group has an event to handle now. Raises UnavailableError."""
        return self.has_groups and await self._bus.has_work(self._groups.subscriptions)

    def broadcasts(self) -> AbstractAsyncContextManager[None]:
        """Those without a group hear events in the block."""
        return self._broadcasts

    def groups(self) -> AbstractAsyncContextManager[None]:
        """This process takes its share of every group in the block."""
        return self._groups


class _Hosted:
    """Some subscriptions, counted by who wants them."""

    def __init__(self, bus: EventBusProtocol, subscriptions: Sequence[Subscription]) -> None:
        self._bus = bus
        self.subscriptions = subscriptions
        self._hosts = 0
        self._stop = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._hosts += 1
        if self._hosts > 1:
            return
        self._stop = asyncio.Event()
        ready = [asyncio.Event() for _ in self.subscriptions]
        self._keepers = [
            asyncio.create_task(self._keep(subscription, tried), name="handler")
            for subscription, tried in zip(self.subscriptions, ready, strict=True)
        ]
        for tried in ready:
            await tried.wait()

    async def __aexit__(self, *_: object) -> None:
        self._hosts -= 1
        if not self._hosts:
            self._stop.set()
            await asyncio.gather(*self._keepers)

    async def _keep(self, wanted: Subscription, tried: asyncio.Event) -> None:
        """Subscribed as soon as the bus answers, until stop; `tried` after the first try."""
        outage = Outage(f"handler of {wanted.topic}")
        while not self._stop.is_set():
            try:
                made = await self._bus.subscribe(
                    wanted.topic,
                    wanted.handler,
                    group=wanted.group,
                    ordered=wanted.ordered,
                    terms=wanted.terms,
                )
            except UnavailableError as error:
                tried.set()
                await outage.wait(error, self._stop)
                continue
            tried.set()
            outage.over()
            await self._stop.wait()
            await self._bus.unsubscribe(made)
        tried.set()


def _subscription(
    registered: RegisteredHandler, services: Services, inbox: InboxStore
) -> Subscription:
    return Subscription(
        registered.topic,
        Handling(registered, services, inbox),
        registered.group,
        registered.handler.mark.ordered,
        terms=registered.terms,
    )
