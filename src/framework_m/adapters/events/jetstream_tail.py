"""JetStreamTail: one broadcast subscription's view of the stream."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from framework_m.adapters.events import cloud_events
from framework_m.adapters.events.jetstream_group import delivery_of
from framework_m.core.errors import NatsUnavailableError, UndecodableEventError
from framework_m.core.interfaces.event_bus import ReceivedEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.adapters.events.nats_event_bus import NatsEventBusAdapter
    from framework_m.adapters.nats.reader import StreamReader

logger = logging.getLogger(__name__)

_BATCH = 500
_PATIENCE = 5.0


class JetStreamTail:
    """Reads without a consumer of its own that lasts: it remembers where it was by itself."""

    def __init__(self, bus: NatsEventBusAdapter, reader: StreamReader) -> None:
        self._bus = bus
        self._reader = reader

    def reset(self) -> None:
        self._reader.reset()

    async def read(self) -> Sequence[ReceivedEvent]:
        try:
            await self._bus.open()
            messages = await self._reader.read(_BATCH, _PATIENCE)
        except NatsUnavailableError:
            self._bus.forget()
            raise
        found = []
        for message in messages:
            topic = self._bus.topic_of(message.subject)
            try:
                event = cloud_events.message_of(message.headers, message.data, topic)
            except UndecodableEventError as error:
                logger.warning("a message on %s is no event, and is passed over: %s", topic, error)
                continue
            found.append(ReceivedEvent(event, sequence=delivery_of(message)[1]))
        return found

    async def close(self) -> None:
        await self._reader.close()
