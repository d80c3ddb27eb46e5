"""The relay of events: from the outbox to the bus, at once or in a later sweep (invariant 1)."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.core.errors import EventError, UnavailableError
from framework_m.core.interfaces.event_store import DeadLetter
from framework_m.core.outbox.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from framework_m.core.interfaces.event_bus import EventBusProtocol
    from framework_m.core.interfaces.event_store import DeadLetterStore
    from framework_m.core.interfaces.outbox_store import OutboxRow, OutboxStore

logger = logging.getLogger(__name__)

_BATCH = 500
_HEAD_START = timedelta(seconds=1)
"""Whoever committed an event publishes it at once; sweeping sooner would only do it twice."""
_TURN = 0.02
_TURNS = 10
"""How often a row whose older sibling is somebody else's is looked at before a sweep has it."""


RELAY = "relay"
"""The group of dead letters that never came onto the bus."""


class EventRelay:
    """Publishes outbox rows. Run a sweep in every process: any may mend any other's.

    Where bus and outbox are one database, rows move there in a transaction, oldest first. Else a
    row is published and then deleted; should the process die in between it is published again,
    under the same id, and the bus drops it. Of one key, a row waits while an older one is there.
    """

    def __init__(
        self,
        outbox: OutboxStore,
        bus: EventBusProtocol,
        letters: DeadLetterStore,
        prepare: Callable[[], Awaitable[None]],
    ) -> None:
        """prepare: done once before anything is published: the groups have to be there."""
        self._outbox = outbox
        self._bus = bus
        self._letters = letters
        self._prepare: Callable[[], Awaitable[None]] | None = prepare
        self._outgoing: list[OutboxRow] = []
        self._is_wanted = False
        self._pace = Pace()
        self._sending: asyncio.Task[None] | None = None

    def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Publish what has just been committed, without keeping the committer.

        What is committed meanwhile goes with the next batch. If the bus is away, a sweep does it.
        """
        self._outgoing.extend(rows)
        self._is_wanted = True
        if self._sending is None or self._sending.done():
            send = self._drain if self._bus.drains_outbox else self._send
            self._sending = asyncio.create_task(send(), name="event-relay")

    async def sweep(self) -> int:
        """Publish what was committed and never published; how many. Raises UnavailableError."""
        await self._prepared()
        if self._bus.drains_outbox:
            return await self._bus.drain()
        total = 0
        while rows := await self._outbox.oldest(_BATCH, older_than=_HEAD_START):
            await self._deliver(rows)
            total += len(rows)
        if total:
            logger.info("relay: published %d events that had not been", total)
        return total

    async def is_behind(self) -> bool:
        """Whether a committed event is not on the bus yet. Raises UnavailableError."""
        return not await self._outbox.is_empty()

    async def close(self) -> None:
        """Publish what is still on its way."""
        self._pace.close()
        if self._sending is not None:
            await self._sending

    async def _prepared(self) -> None:
        if self._prepare is not None:
            await self._prepare()
            self._prepare = None

    async def _drain(self) -> None:
        try:
            await self._prepared()
            while self._is_wanted:
                await self._pace.gather()
                self._is_wanted = False
                with self._pace.batch():
                    await self._bus.drain()
        except UnavailableError as error:
            logger.warning("relay: events are left to the next sweep: %s", error)

    async def _send(self) -> None:
        turns = 0
        while self._outgoing:
            if len(self._outgoing) < _BATCH:
                await self._pace.gather()
            rows, self._outgoing = self._outgoing[:_BATCH], self._outgoing[_BATCH:]
            try:
                await self._prepared()
                with self._pace.batch():
                    held_back = await self._outbox.held_back(rows)
                    waiting = [row for row in rows if row.position in held_back]
                    await self._deliver([row for row in rows if row.position not in held_back])
            except UnavailableError as error:
                logger.warning("relay: %d events are left to the next sweep: %s", len(rows), error)
                continue
            if waiting and turns < _TURNS:
                turns += 1
                self._outgoing[:0] = waiting
                await asyncio.sleep(_TURN)

    async def _deliver(self, rows: Sequence[OutboxRow]) -> None:
        if not rows:
            return
        try:
            await self._bus.publish_many([row.message for row in rows])
        except EventError as error:
            if len(rows) == 1:
                await self._bury(rows[0], error)
                return
            for row in rows:  # the others are not to wait for the one that is refused
                await self._deliver([row])
            return
        # Should this be lost, a sweep publishes once more, and the bus knows the ids.
        await self._outbox.delete(rows)

    async def _bury(self, row: OutboxRow, error: EventError) -> None:
        """The bus refuses it for good, and it must not stand in the way of others."""
        message = row.message
        logger.error("relay: event %s cannot be published: %s", message.event_id, error)
        letter = DeadLetter(RELAY, message.topic, str(error), 1, message)
        await self._letters.add([letter])
        await self._outbox.delete([row])
