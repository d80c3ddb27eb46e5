"""OrderedGroup: a group on NATS that keeps the order of each document, in all processes.

A pump copies the group's events from the stream into its rows in the database, where they are
claimed as on the database's own bus: of each key the first only. The copy and the place up to
which the stream was copied commit together, under the old place as a condition, so that any number
of processes may try and be killed, and every event is there once, in the order of the stream.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from framework_m.adapters.events import cloud_events
from framework_m.adapters.events.database import DatabaseGroup
from framework_m.adapters.events.jetstream_group import delivery_of
from framework_m.core.errors import UnavailableError, UndecodableEventError
from framework_m.core.ids import uuid7
from framework_m.core.interfaces.event_store import DeadLetter
from framework_m.core.outage import Outage, pause
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg

    from framework_m.adapters.db.event_pump import Place
    from framework_m.adapters.events.group_runner import GroupDelivery, Settled
    from framework_m.adapters.events.nats_event_bus import NatsEventBusAdapter
    from framework_m.adapters.nats.reader import StreamReader
    from framework_m.core.interfaces.event_bus import EventMessage, Subscription

logger = logging.getLogger(__name__)

_BATCH = 500


class OrderedGroup:
    """A DatabaseGroup, and a pump beside it that fills it."""

    def __init__(self, bus: NatsEventBusAdapter, subscription: Subscription) -> None:
        assert subscription.group is not None, "only groups have sources"  # noqa: S101
        self._bus = bus
        self._group = subscription.group
        self._topic = subscription.topic
        self._me = uuid7()
        self._lease = bus.options.lease
        self._wakeup = Wakeup()
        self._rows = DatabaseGroup(
            subscription, bus.deliveries, self._wakeup, bus.options, is_told=False
        )
        self._reader: StreamReader | None = None
        self._stop = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._pump = asyncio.create_task(self._run(), name=f"pump {self._group}")

    def reset(self) -> None:
        if self._reader is not None:
            self._reader.reset()

    async def take(self, limit: int) -> Sequence[GroupDelivery]:
        return await self._rows.take(limit)

    def interrupt(self) -> None:
        self._rows.interrupt()

    async def settle(self, outcomes: Sequence[Settled]) -> None:
        await self._rows.settle(outcomes)

    async def give_back(self, deliveries: Sequence[GroupDelivery]) -> None:
        await self._rows.give_back(deliveries)

    async def renew(self, deliveries: Sequence[GroupDelivery]) -> None:
        await self._rows.renew(deliveries)

    async def close(self) -> None:
        self._stop.set()
        if self._reader is not None:
            self._reader.interrupt()
        if self._pump is not None:
            await self._pump

    async def _run(self) -> None:
        outage = Outage(f"pump {self._group}")
        while not self._stop.is_set():
            try:
                await self._bus.open()
                place = await self._bus.pumped.hold(self._group, self._me, self._lease)
                if place is None:  # another process pumps
                    await pause(self._lease / 3, self._stop)
                    continue
                await self._copy_from(place)
            except UnavailableError as error:
                self._bus.forget()
                await outage.wait(error, self._stop)
                continue
            except Exception as error:
                logger.exception("pump %s failed; it goes on", self._group)
                await outage.wait(error, self._stop)
                continue
            outage.over()

    async def _copy_from(self, place: Place) -> None:
        """Until somebody else does it, or stop."""
        reader = self._bus.reader(self._topic, place.after, place.stream)
        self._reader = reader
        try:
            while not self._stop.is_set():
                messages = await reader.read(_BATCH, self._lease / 3)
                rows, letters = self._sorted(messages)
                copied = await self._bus.pumped.copy(
                    self._group,
                    self._me,
                    place,
                    type(place)(reader.after, reader.stream_id),
                    rows,
                    letters,
                    lease=self._lease,
                )
                if not copied:
                    return
                place = type(place)(reader.after, reader.stream_id)
                if rows:
                    self._wakeup.call()
            await self._bus.pumped.let_go(self._group, self._me)
        finally:
            self._reader = None
            await reader.close()

    def _sorted(
        self, messages: Sequence[Msg]
    ) -> tuple[list[tuple[int, EventMessage]], list[DeadLetter]]:
        rows, letters = [], []
        for message in messages:
            topic, sequence = self._bus.topic_of(message.subject), delivery_of(message)[1]
            try:
                event = cloud_events.message_of(message.headers, message.data, topic)
            except UndecodableEventError as error:
                logger.error(  # noqa: TRY400 - no news of ours
                    "%s: a message on %s is a dead letter: %s", self._group, topic, error
                )
                headers, told = dict(message.headers or {}), f"{type(error).__name__}: {error}"
                letters.append(
                    DeadLetter(self._group, topic, told, 1, None, message.data, headers, sequence)
                )
            else:
                rows.append((sequence, event))
        return rows, letters
