"""Events: publish and subscribe. What an application offers as `app.events`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.core.errors import DeadLetterNotFoundError, FieldError, InvalidEventError
from framework_m.core.events.envelope import written
from framework_m.core.events.topics import checked_pattern
from framework_m.core.interfaces.unit_of_work import current_unit_of_work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from framework_m.core.interfaces.event_bus import (
        DeliveryTerms,
        EventBusProtocol,
        EventCallback,
        EventMessage,
        Start,
        Subscription,
    )
    from framework_m.core.interfaces.event_store import DeadLetter, DeadLetterStore
    from framework_m.core.interfaces.outbox_store import OutboxRow, OutboxStore
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory, UnitOfWorkProtocol
    from framework_m.core.outbox.event_relay import EventRelay


class Events:
    """The events of one application."""

    def __init__(
        self,
        bus: EventBusProtocol,
        outbox: OutboxStore,
        letters: DeadLetterStore,
        units: UnitOfWorkFactory,
        relay: EventRelay,
        *,
        source: str = "framework_m",
        limit: int = 500_000,
    ) -> None:
        self.bus = bus
        self._outbox = outbox
        self._letters = letters
        self._units = units
        self._relay = relay
        self.source = source
        self._limit = limit

    async def publish(self, event: BaseModel, topic: str | None = None) -> None:
        """Publish an event, on the topic that its event_type names if no other is given.

        Inside a transaction it is part of it: heard if that commits, and never if it rolls back.
        Elsewhere it is committed on return. Any pydantic model will do, with a topic.
        Raises InvalidEventError, TopicError, DatabaseUnavailableError.
        """
        await self.publish_many([event], topic)

    async def publish_many(self, events: Iterable[BaseModel], topic: str | None = None) -> None:
        """Publish many, all or none of them."""
        messages = [self.message(event, topic) for event in events]
        unit = current_unit_of_work()
        if unit is not None:
            await self.append(unit, messages)
            return
        async with self._units() as own:
            await self.append(own, messages)

    async def publish_in(
        self, unit: UnitOfWorkProtocol, event: BaseModel, topic: str | None = None
    ) -> None:
        """The same in a transaction that is named, whatever the context's is."""
        await self.append(unit, [self.message(event, topic)])

    async def append(self, unit: UnitOfWorkProtocol, messages: Sequence[EventMessage]) -> None:
        """Write messages to the outbox, and have them published once that is committed."""
        if not messages:
            return
        self._publish_after(unit, await self._outbox.append(unit, messages))

    def appended(self, unit: UnitOfWorkProtocol, message: EventMessage, position: int) -> None:
        """The same for a row of the outbox that was written together with what it tells of."""
        self._publish_after(unit, self._outbox.placed_at(position, message))

    def _publish_after(self, unit: UnitOfWorkProtocol, rows: Sequence[OutboxRow]) -> None:
        async def publish() -> None:
            self._relay.publish(rows)

        unit.after_commit(publish)

    def message(self, event: BaseModel, topic: str | None = None) -> EventMessage:
        """The event as it travels. Raises InvalidEventError, TopicError."""
        message = written(event, topic, source=self.source)
        if len(message.data) > self._limit:
            wrong = f"has {len(message.data)} characters of JSON, more than {self._limit}"
            raise InvalidEventError(type(event).__name__, [FieldError("data", wrong)])
        return message

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
        """Hear of events in this process until `unsubscribe`; see the port for the promises.

        The handler gets a ReceivedEvent; `@on` is the typed way. Raises TopicError.
        """
        checked_pattern(topic)
        return await self.bus.subscribe(
            topic, handler, group=group, ordered=ordered, start=start, terms=terms
        )

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Hear no more. A group stays, and its events wait."""
        await self.bus.unsubscribe(subscription)

    async def groups(self) -> Mapping[str, int]:
        """The durable groups, and how many events each has still to handle.

        Raises UnavailableError.
        """
        return await self.bus.lag()

    async def forget_group(self, group: str) -> bool:
        """Let go of a group whose handler is gone for good, and of what waits for it.

        False if there is none. Raises UnavailableError.
        """
        return await self.bus.forget_group(group)

    async def dead(
        self, *, group: str | None = None, limit: int = 50, before: str | None = None
    ) -> Sequence[DeadLetter]:
        """Dead letters, newest first; `before` is the id that ended the previous page."""
        return await self._letters.list(group=group, limit=limit, before=before)

    async def redrive(self, letter_id: str) -> None:
        """Give a dead letter to its group once more, with all its attempts.

        Raises DeadLetterNotFoundError.
        """
        letter = await self._letters.get(letter_id)
        if letter is None:
            raise DeadLetterNotFoundError(letter_id)
        await self.bus.redrive(letter)
        await self._letters.delete(letter_id)
