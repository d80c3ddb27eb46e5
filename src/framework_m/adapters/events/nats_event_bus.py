"""NatsEventBusAdapter: events over JetStream, as CloudEvents."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Protocol

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from framework_m.adapters.events import cloud_events
from framework_m.adapters.events.bus import EventBusBase
from framework_m.adapters.events.jetstream_backlog import Backlog, holds_beyond
from framework_m.adapters.events.jetstream_group import JetStreamGroup
from framework_m.adapters.events.jetstream_tail import JetStreamTail
from framework_m.adapters.events.ordered_group import OrderedGroup
from framework_m.adapters.nats import streams
from framework_m.adapters.nats.publisher import Outgoing, Publisher
from framework_m.adapters.nats.reader import StreamReader, place_of, stream_id
from framework_m.core.errors import NatsUnavailableError
from framework_m.core.events.envelope import written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nats.js.api import ConsumerInfo

    from framework_m.adapters.db.event_deliveries import EventDeliveries
    from framework_m.adapters.db.event_pump import PumpedGroups
    from framework_m.adapters.events.bus import BusOptions
    from framework_m.adapters.nats.connection import NatsConnection
    from framework_m.core.events.envelope import BaseEvent
    from framework_m.core.interfaces.event_bus import EventMessage, Start, Subscription
    from framework_m.core.interfaces.event_store import DeadLetter, DeadLetterStore
    from framework_m.core.metrics import Metrics


_BATCH = 1000


class _Resettable(Protocol):
    def reset(self) -> None: ...


class NatsEventBusAdapter(EventBusBase):
    """One stream for all events; a durable pull consumer per group.

    An ordered group's events go through the database: JetStream can say which messages of a
    consumer are unsettled, but not hold back those of one key only, in whatever process.
    """

    def __init__(
        self,
        options: BusOptions,
        metrics: Metrics,
        connection: NatsConnection,
        prefix: str,
        limits: streams.StreamLimits,
        letters: DeadLetterStore,
        deliveries: EventDeliveries,
        pumped: PumpedGroups,
    ) -> None:
        super().__init__(options, metrics)
        self.connection = connection
        self.prefix = prefix
        self.letters = letters
        self.deliveries = deliveries
        self.pumped = pumped
        self.spec = streams.events_stream(prefix, options.retention.total_seconds())
        self._limits = limits
        self._publisher = Publisher(connection)
        self._outgoing: list[tuple[EventMessage, asyncio.Future[None]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._backlogs: dict[str, Backlog] = {}
        self._is_ensured = False
        self._ensuring = asyncio.Lock()
        self._reset_after_reconnect: weakref.WeakSet[_Resettable] = weakref.WeakSet()
        connection.on_reconnect(self._reconnected)

    async def start(self) -> None:
        await self.open()

    async def open(self) -> None:
        """Connect and see to the stream. Raises NatsUnavailableError."""
        await self.connection.open()
        if not self.connection.is_connected:
            raise NatsUnavailableError("reconnecting")
        async with self._ensuring:
            if not self._is_ensured:
                await streams.ensure(self.connection.jetstream, self.spec, self._limits)
                self._is_ensured = True

    def forget(self) -> None:
        """What was ensured may be gone: look again before the next use."""
        self._is_ensured = False

    async def close(self) -> None:
        await super().close()
        if self._sending is not None:
            await self._sending

    async def publish(self, topic: str, event: BaseEvent) -> None:
        message = written(event, topic, source=self.options.source)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outgoing.append((message, stored))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="events-publish")
        await stored

    async def publish_many(self, messages: Sequence[EventMessage]) -> None:
        if not messages:
            return
        await self.open()
        try:
            await self._publisher.publish([self._outgoing_of(message) for message in messages])
        except NatsUnavailableError:
            self.forget()
            raise
        self.metrics.count("published", by=len(messages))

    async def define(self, subscription: Subscription) -> None:
        assert subscription.group is not None, "only groups are defined"  # noqa: S101
        await self.open()
        if not subscription.ordered:
            await JetStreamGroup(self, subscription).ensure()
            return
        if await self.pumped.place(subscription.group) is None:
            after, stream = await self.place(subscription.start)
            await self.pumped.define(subscription.group, subscription.topic, stream, after)

    async def redrive(self, letter: DeadLetter) -> None:
        if letter.message is not None and await self.pumped.place(letter.group) is not None:
            await self.deliveries.add(letter.group, letter)
            return
        headers, data = dict(letter.headers), letter.raw
        if letter.message is not None:
            headers = cloud_events.headers_of(letter.message)
            data = letter.message.data.encode()
        subject = f"{self.prefix}.redriven.{letter.group}.{letter.topic}"
        await self.open()
        await self._publisher.publish([Outgoing(subject, data, headers)])

    async def lag(self) -> Mapping[str, int]:
        await self.open()
        found = dict(await self.pumped.lag())
        try:
            for info in await self._consumers():
                if info.config.durable_name:  # the others are tails
                    left = int(info.num_pending or 0) + int(info.num_ack_pending or 0)
                    found[str(info.name)] = left
        except (NatsError, OSError, TimeoutError) as error:
            raise NatsUnavailableError(str(error) or type(error).__name__) from error
        return found

    def backlog(self, group: str) -> Backlog:
        return self._backlogs.setdefault(group, Backlog(group, self.options.lease))

    async def waits(self, subscription: Subscription) -> bool:
        group = subscription.group or ""
        await self.open()
        jetstream = self.connection.jetstream
        try:
            if not subscription.ordered:
                return await self.backlog(group).has_work(jetstream, self.spec.name)
            place = await self.pumped.place(group)
            if place is None:
                return False
            subject = f"{self.prefix}.events.{subscription.topic}"
            if await holds_beyond(jetstream, self.spec.name, subject, place.after):
                return True
        except (NatsError, OSError, TimeoutError) as error:
            raise NatsUnavailableError(str(error) or type(error).__name__) from error
        return await self.deliveries.has_work(group, ordered=True)

    async def _consumers(self) -> list[ConsumerInfo]:
        jetstream = self.connection.jetstream
        found: list[ConsumerInfo] = []
        while some := await jetstream.consumers_info(self.spec.name, offset=len(found)):
            found += some
        return found

    async def forget_group(self, group: str) -> bool:
        await self.open()
        had_rows = await self.deliveries.forget_group(group)
        try:
            await self.connection.jetstream.delete_consumer(self.spec.name, group)
        except NotFoundError:
            return had_rows
        except (NatsError, OSError, TimeoutError) as error:
            raise NatsUnavailableError(str(error) or type(error).__name__) from error
        return True

    async def source(self, subscription: Subscription) -> JetStreamGroup | OrderedGroup:
        if not subscription.ordered:
            group = JetStreamGroup(self, subscription)
            self._reset_after_reconnect.add(group)
            return group
        ordered = OrderedGroup(self, subscription)
        self._reset_after_reconnect.add(ordered)
        ordered.start()
        return ordered

    async def tail(self, subscription: Subscription) -> JetStreamTail:
        await self.open()
        after, stream = await self.place(subscription.start)
        tail = JetStreamTail(self, self.reader(subscription.topic, after, stream))
        self._reset_after_reconnect.add(tail)
        return tail

    async def report_stream(self) -> streams.StreamReport:
        """See to the stream, and tell of it. Raises NatsUnavailableError."""
        await self.connection.open()
        drift = await streams.ensure(self.connection.jetstream, self.spec, self._limits)
        spec = self.spec
        return streams.StreamReport(
            spec.name, spec.subjects, spec.retention, spec.purpose, tuple(drift)
        )

    def reader(self, topic: str, after: int, stream: str) -> StreamReader:
        subject = f"{self.prefix}.events.{topic}"
        return StreamReader(self.connection, self.spec.name, subject, after, stream)

    async def place(self, start: Start) -> tuple[int, str]:
        """The sequence after which to read, to begin there, and of which stream it is one."""
        try:
            after = await place_of(self.connection, self.spec.name, start)
            return after, await stream_id(self.connection, self.spec.name)
        except (NatsError, OSError, TimeoutError) as error:
            self.forget()
            raise NatsUnavailableError(str(error) or type(error).__name__) from error

    def topic_of(self, subject: str) -> str:
        """The topic of a message, also of one that was re-driven to a group."""
        rest = subject.removeprefix(f"{self.prefix}.")
        way, _, topic = rest.partition(".")
        return topic if way == "events" else topic.partition(".")[2]

    async def _send(self) -> None:
        """What concurrent callers publish goes together, in the order of their calls."""
        while self._outgoing:
            batch, self._outgoing = self._outgoing[:_BATCH], self._outgoing[_BATCH:]
            error: Exception | None = None
            try:
                await self.publish_many([message for message, _ in batch])
            except Exception as raised:  # noqa: BLE001 - it is the callers'
                error = raised
            for _, stored in batch:
                if stored.done():
                    continue  # its caller waits no more
                if error is None:
                    stored.set_result(None)
                else:
                    stored.set_exception(error)

    def _outgoing_of(self, message: EventMessage) -> Outgoing:
        headers = cloud_events.headers_of(message)
        # The server drops what comes again under the same id within two minutes.
        headers["Nats-Msg-Id"] = headers["ce-id"]
        subject = f"{self.prefix}.events.{message.topic}"
        return Outgoing(subject, message.data.encode(), headers)

    def _reconnected(self) -> None:
        self.forget()
        for each in list(self._reset_after_reconnect):
            each.reset()
