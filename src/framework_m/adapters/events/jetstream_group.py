"""JetStreamGroup: one member's share of a group that is a durable consumer."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy
from nats.js.errors import NotFoundError

from framework_m.adapters.events import cloud_events
from framework_m.adapters.events.group_runner import GroupDelivery
from framework_m.adapters.nats.puller import Puller
from framework_m.adapters.nats.reader import stream_id
from framework_m.core.errors import NatsUnavailableError, UndecodableEventError
from framework_m.core.interfaces.event_bus import ReceivedEvent
from framework_m.core.interfaces.event_store import DeadLetter
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from framework_m.adapters.events.group_runner import Settled
    from framework_m.adapters.events.nats_event_bus import NatsEventBusAdapter
    from framework_m.core.interfaces.event_bus import Subscription

logger = logging.getLogger(__name__)

_PATIENCE = 5.0
_MAX_ACK_PENDING = 20_000
_ACK, _NAK, _IN_PROGRESS = b"+ACK", b"-NAK", b"+WPI"


class JetStreamGroup:
    """Fetches no more than there are free slots; acknowledges what is settled, and only that.

    Should the consumer or the stream be deleted, they are made again, from where the group was
    last known to be.
    """

    def __init__(self, bus: NatsEventBusAdapter, subscription: Subscription) -> None:
        assert subscription.group is not None, "only groups have sources"  # noqa: S101
        self._bus = bus
        self._group = subscription.group
        self._topic = subscription.topic
        self._start = subscription.start
        self._floor: int | None = None
        """Everything up to this sequence is settled."""
        self._stream = ""
        self._is_ensured = False
        self._wakeup = Wakeup()
        self._puller = Puller(bus.connection, bus.spec.name, self._group, self._wakeup.call)

    async def ensure(self) -> None:
        """Make the consumer, if it is not there. Raises NatsUnavailableError."""
        await self._bus.open()
        try:
            stream = await stream_id(self._bus.connection, self._bus.spec.name)
            if self._stream and stream != self._stream:
                self._floor = 0  # a new stream under the old name: all of it is new
            self._stream = stream
            await self._make()
        except (NatsError, OSError, TimeoutError) as error:
            self._bus.forget()
            raise NatsUnavailableError(
                f"group {self._group}: {str(error) or type(error).__name__}"
            ) from error
        self._is_ensured = True

    async def take(self, limit: int) -> Sequence[GroupDelivery]:
        if self._puller.is_broken:
            self._bus.forget()
            self._is_ensured = False
        if not self._is_ensured:
            await self.ensure()
            self._puller.reset()
        seen = self._wakeup.calls
        found = await self._puller.collect(limit)
        if not found:
            await self._wakeup.wait_beyond(seen, _PATIENCE)
        return await self._readable(found)

    def interrupt(self) -> None:
        self._wakeup.call()

    def reset(self) -> None:
        self._is_ensured = False
        self._puller.reset()

    async def settle(self, outcomes: Sequence[Settled]) -> None:
        letters = [outcome.letter for outcome in outcomes if outcome.letter is not None]
        if letters:
            await self._bus.letters.add(letters)
        for outcome in outcomes:
            answer = _ACK
            if outcome.again_after is not None:
                seconds = outcome.again_after.total_seconds()
                self._bus.backlog(self._group).postpone(
                    delivery_of(outcome.delivery.receipt)[1], seconds
                )
                wait = int(seconds * 1e9)
                answer = _NAK + b' {"delay": %d}' % wait if wait else _NAK
            await self._say(outcome.delivery, answer)

    async def give_back(self, deliveries: Sequence[GroupDelivery]) -> None:
        for delivery in deliveries:
            await self._say(delivery, _NAK)

    async def renew(self, deliveries: Sequence[GroupDelivery]) -> None:
        for delivery in deliveries:
            await self._say(delivery, _IN_PROGRESS)
        await self._note_floor()

    async def close(self) -> None:
        for message in await self._puller.close():
            await self._answer(message, _NAK)

    async def _readable(self, messages: Sequence[Msg]) -> list[GroupDelivery]:
        """What can be read; the rest is kept as it came, and then, and only then, let go of."""
        readable = []
        for message in messages:
            topic, data = self._bus.topic_of(message.subject), message.data
            attempt, sequence = delivery_of(message)
            try:
                event = cloud_events.message_of(message.headers, data, topic)
            except UndecodableEventError as error:
                logger.error(  # noqa: TRY400 - no news of ours
                    "%s: a message on %s is a dead letter: %s", self._group, topic, error
                )
                self._bus.metrics.count("dead", self._group)
                headers = dict(message.headers or {})
                told = f"{type(error).__name__}: {error}"
                letter = DeadLetter(self._group, topic, told, attempt, None, data, headers)
                await self._bus.letters.add([letter])
                await self._answer(message, _ACK)
                continue
            received = ReceivedEvent(event, self._group, attempt, sequence)
            readable.append(GroupDelivery(received, message))
        return readable

    async def _make(self) -> None:
        place: dict[str, object] = {"deliver_policy": DeliverPolicy.NEW}
        begin = self._start if self._floor is None else self._floor + 1
        if isinstance(begin, datetime):
            place = {"deliver_policy": DeliverPolicy.BY_START_TIME, "opt_start_time": begin}
        elif begin is not None:
            place = {
                "deliver_policy": DeliverPolicy.BY_START_SEQUENCE,
                "opt_start_seq": max(1, begin),
            }
        subjects = [
            f"{self._bus.prefix}.events.{self._topic}",
            f"{self._bus.prefix}.redriven.{self._group}.>",
        ]
        jetstream = self._bus.connection.jetstream
        known = await _consumer(jetstream, self._bus.spec.name, self._group)
        if known is not None:
            place = {name: getattr(known.config, name) for name in _PLACE}
        config = ConsumerConfig(
            durable_name=self._group,
            name=self._group,
            filter_subjects=subjects,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self._bus.options.lease,
            max_deliver=-1,
            max_ack_pending=_MAX_ACK_PENDING,
            **place,  # type: ignore[arg-type]
        )
        info = await jetstream.add_consumer(self._bus.spec.name, config)
        if self._floor is None and info.ack_floor is not None:
            self._floor = int(info.ack_floor.stream_seq)

    async def _note_floor(self) -> None:
        try:
            jetstream = self._bus.connection.jetstream
            info = await jetstream.consumer_info(self._bus.spec.name, self._group)
        except (NatsError, OSError, TimeoutError):
            return  # whoever takes next will notice
        if info.ack_floor is not None:
            self._floor = max(self._floor or 0, int(info.ack_floor.stream_seq))

    async def _say(self, delivery: GroupDelivery, answer: bytes) -> None:
        await self._answer(delivery.receipt, answer)

    async def _answer(self, message: Msg, answer: bytes) -> None:
        """If it gets lost the message comes again, and is handled again."""
        try:
            await self._bus.connection.client.publish(message.reply, answer)
        except (NatsError, OSError) as error:
            logger.debug("an answer to JetStream was not sent: %s", error)


_PLACE = ("deliver_policy", "opt_start_seq", "opt_start_time")


async def _consumer(jetstream: JetStreamContext, stream: str, name: str) -> ConsumerInfo | None:
    try:
        found: ConsumerInfo = await jetstream.consumer_info(stream, name)
    except NotFoundError:
        return None
    return found


def delivery_of(message: Msg) -> tuple[int, int]:
    """Which delivery of the message it is, from 1, and its sequence in the stream.

    $JS.ACK.[domain.account.]stream.consumer.delivered.stream sequence.consumer sequence.…
    """
    words = message.reply.split(".")
    first = 4 if len(words) == 9 else 6
    return int(words[first]), int(words[first + 1])
