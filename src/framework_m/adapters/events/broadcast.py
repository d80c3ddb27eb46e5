"""Broadcast: one live subscription of this process, whatever the bus."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from framework_m.core.errors import UnavailableError
from framework_m.core.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.event_bus import ReceivedEvent, Subscription
    from framework_m.core.metrics import Metrics

logger = logging.getLogger(__name__)


class Tail(Protocol):
    """Reads events in order, from a place on. Raises UnavailableError, and then resumes there."""

    async def read(self) -> Sequence[ReceivedEvent]:
        """Those that have come, waiting for some; empty-handed now and then. May be cancelled."""

    async def close(self) -> None: ...


class Broadcast:
    """Calls the handler with one event after another: a slow one falls behind, and loses none."""

    def __init__(self, tail: Tail, subscription: Subscription, metrics: Metrics) -> None:
        self._tail = tail
        self._handler = subscription.handler
        self._topic = subscription.topic
        self._metrics = metrics
        self._stop = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._reader = asyncio.create_task(self._run(), name=f"broadcast {self._topic}")

    async def close(self) -> None:
        self._stop.set()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._tail.close()

    async def _run(self) -> None:
        outage = Outage(f"broadcast {self._topic}")
        while not self._stop.is_set():
            try:
                received = await self._tail.read()
            except UnavailableError as error:
                await outage.wait(error, self._stop)
                continue
            except Exception as error:
                logger.exception("broadcast %s: reading failed", self._topic)
                await outage.wait(error, self._stop)
                continue
            outage.over()
            for event in received:
                # A context of its own: the handler acts as the event's user.
                await asyncio.create_task(self._handle(event))

    async def _handle(self, received: ReceivedEvent) -> None:
        try:
            await self._handler(received)
        except Exception:
            self._metrics.count("failed", "")
            logger.exception("a handler of %s failed", self._topic)
        else:
            self._metrics.count("delivered", "")
