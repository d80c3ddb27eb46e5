"""JetStreamScheduler: each schedule has one message waiting in the server for its next due time.

The server delivers it then (NATS ADR-51), to whichever worker asks first; who fires it puts the
next one in its place before it is acknowledged. No process keeps time. What is lost on the way, a
message or a whole stream, is noticed by a look at the records, which decide anyway.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig

from framework_m.adapters.nats import streams
from framework_m.adapters.nats.parking import park
from framework_m.adapters.nats.publisher import Outgoing, Publisher
from framework_m.adapters.nats.puller import Puller
from framework_m.adapters.scheduling.announcements import Announcements, News
from framework_m.adapters.scheduling.taskiq_scheduler import RecordScheduler
from framework_m.core.errors import NatsUnavailableError
from framework_m.core.outage import looking
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nats.aio.msg import Msg
    from taskiq import AsyncBroker

    from framework_m.adapters.nats.connection import NatsConnection
    from framework_m.core.interfaces.schedule_store import Due, ScheduleStore
    from framework_m.core.scheduling.firing import Fire

logger = logging.getLogger(__name__)

_CONSUMER = "schedules"
_AT_ONCE = 100
_PATIENCE = 5.0
_ACK_WAIT = 5.0
"""Seconds until a message goes to another worker; the look at the records is sooner."""
_MAX_ACK_PENDING = 10_000
_BUSY = 0.25
_TOO_FAR = 2200
"""The year: the server counts nanoseconds in 63 bits, and delivers at once what is beyond."""
_LATE = timedelta(seconds=1)
"""How long a due time is left to its message."""


class JetStreamScheduler:
    """The Scheduler port on a work-queue stream of its own."""

    def __init__(
        self,
        connection: NatsConnection,
        prefix: str,
        limits: streams.StreamLimits,
        store: ScheduleStore,
        fire: Fire,
        broker: AsyncBroker,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._limits = limits
        self._fire = fire
        self._stream = streams.schedules_stream(prefix)
        self._parked = streams.parked_stream(prefix)
        self._publisher = Publisher(connection)
        self._announcements = Announcements(self._tell)
        self._mender = RecordScheduler(broker, store, fire, late=_LATE, fired=self.arm)
        self._pullers: set[Puller] = set()
        """One for each run: two workers of one process take turns by them."""
        self._is_ensured = False
        self._ensuring = asyncio.Lock()
        connection.on_reconnect(self._reconnected)

    async def arm(self, due: Sequence[Due]) -> None:
        self._announcements.add({it.schedule: it for it in due})

    async def disarm(self, schedules: Collection[str]) -> None:
        self._announcements.add(dict.fromkeys(schedules))

    async def close(self) -> None:
        await self._announcements.close()

    async def run(self, stop: asyncio.Event) -> None:
        wakeup = Wakeup()
        puller = Puller(self._connection, self._stream.name, _CONSUMER, wakeup.call)
        self._pullers.add(puller)
        taking = looking(lambda: self._take(puller), wakeup, stop, who="schedules over NATS")
        await asyncio.gather(taking, self._mender.run(stop))
        self._pullers.remove(puller)
        for message in await puller.close():
            await _say(message.nak())

    async def report_stream(self) -> streams.StreamReport:
        """See to the stream, and tell of it. Raises NatsUnavailableError."""
        await self._connection.open()
        drift = await streams.ensure(self._connection.jetstream, self._stream, self._limits)
        return streams.report(self._stream, drift)

    async def _tell(self, news: News) -> None:
        await self._put_in_place([due for due in news.values() if due is not None])
        await self._take_away([schedule for schedule, due in news.items() if due is None])

    async def _put_in_place(self, due: Sequence[Due]) -> None:
        """Returns when the server has their messages. Raises NatsUnavailableError."""
        messages = [self._message(it) for it in due if it.due_at.year < _TOO_FAR]
        if not messages:
            return
        await self._ensure()
        try:
            await self._publisher.publish(messages)
        except NatsUnavailableError:
            self._is_ensured = False  # perhaps the stream is gone
            raise

    async def _take_away(self, schedules: Sequence[str]) -> None:
        """Raises NatsUnavailableError."""
        if not schedules:
            return
        await self._ensure()
        jetstream = self._connection.jetstream
        try:
            for schedule in schedules:
                await jetstream.purge_stream(self._stream.name, subject=self._subject(schedule))
        except (NatsError, OSError, TimeoutError) as error:
            raise NatsUnavailableError(str(error) or type(error).__name__) from error

    async def _take(self, puller: Puller) -> float:
        """Fire what has come; how long to wait for more."""
        messages = await self._messages(puller)
        await self._handle(messages)
        return 0.0 if messages else _PATIENCE

    async def _messages(self, puller: Puller) -> Sequence[Msg]:
        if puller.is_broken:
            self._is_ensured = False
        await self._ensure()
        if puller.is_broken:
            puller.reset()
        return await puller.collect(_AT_ONCE)

    async def _handle(self, messages: Sequence[Msg]) -> None:
        """Fire, put the next ones in place, and only then let go of these."""
        named = [(message, _schedule_of(message)) for message in messages]
        ours = [(message, schedule) for message, schedule in named if schedule is not None]
        if ours:
            done = await self._fire(sorted({schedule for _, schedule in ours}))
            await self._put_in_place(done.next)
            for message, schedule in ours:
                is_busy = schedule in done.busy
                await _say(message.nak(delay=_BUSY) if is_busy else message.ack())
        for foreign in (message for message, schedule in named if schedule is None):
            await self._park(foreign)

    async def _park(self, message: Msg) -> None:
        logger.error("parked a message on %s: it is of no schedule", message.subject)
        subject = f"{self._prefix}.parked.schedules"
        reason = "this is no message of a schedule"
        await park(self._connection.jetstream, message, subject, reason)

    async def _ensure(self) -> None:
        """Raises NatsUnavailableError."""
        await self._connection.open()
        if not self._connection.is_connected:
            raise NatsUnavailableError("reconnecting")
        async with self._ensuring:
            if self._is_ensured:
                return
            jetstream = self._connection.jetstream
            for stream in (self._stream, self._parked):
                await streams.ensure(jetstream, stream, self._limits)
            config = ConsumerConfig(
                durable_name=_CONSUMER,
                filter_subject=self._due_subject,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_ACK_WAIT,
                max_deliver=-1,
                max_ack_pending=_MAX_ACK_PENDING,
            )
            try:
                await jetstream.add_consumer(self._stream.name, config)
            except (NatsError, OSError, TimeoutError) as error:
                told = str(error) or type(error).__name__
                raise NatsUnavailableError(f"consumer {_CONSUMER}: {told}") from error
            self._is_ensured = True

    def _reconnected(self) -> None:
        self._is_ensured = False
        for puller in self._pullers:
            puller.reset()

    def _message(self, due: Due) -> Outgoing:
        moment = due.due_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        headers = {
            "Nats-Schedule": f"@at {moment}",
            "Nats-Schedule-Target": self._due_subject,
        }
        data = json.dumps({"schedule": due.schedule, "due_at": moment}).encode()
        return Outgoing(self._subject(due.schedule), data, headers)

    @property
    def _due_subject(self) -> str:
        return f"{self._prefix}.schedules.due"

    def _subject(self, schedule: str) -> str:
        """Its own, where the server lets nothing but the latest message wait."""
        digest = hashlib.sha256(schedule.encode("utf-8", "backslashreplace")).hexdigest()
        return f"{self._prefix}.schedules.at.{digest[:32]}"


def _schedule_of(message: Msg) -> str | None:
    """Which schedule it is of; None if it is none of ours."""
    try:
        schedule = json.loads(message.data)["schedule"]
    except (ValueError, TypeError, KeyError, RecursionError):
        schedule = None
    return schedule if isinstance(schedule, str) else None


async def _say(answer: object) -> None:
    """If it gets lost the message comes again, and meets its record."""
    try:
        await answer  # type: ignore[misc]
    except (NatsError, OSError) as error:
        logger.debug("an answer to JetStream was not sent: %s", error)
