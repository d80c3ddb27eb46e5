"""Handling: one received event and the function that takes it."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, cast

from framework_m.core.causes import Cause, follow
from framework_m.core.events.context import EventContext
from framework_m.core.events.envelope import BaseEvent, read, read_data
from framework_m.core.identity import User, become

if TYPE_CHECKING:
    from pydantic import BaseModel

    from framework_m.core.context import Services
    from framework_m.core.events.registry import RegisteredHandler
    from framework_m.core.interfaces.event_bus import EventMessage, ReceivedEvent
    from framework_m.core.interfaces.event_store import InboxStore


class Handling:
    """Calls one handler; what the bus gets as its callback.

    Raises what the handler raises, and UndecodableEventError.
    """

    def __init__(
        self, registered: RegisteredHandler, services: Services, inbox: InboxStore
    ) -> None:
        self._registered = registered
        self._mark = registered.handler.mark
        self._function = registered.handler.function
        self._is_async = inspect.iscoroutinefunction(self._function)
        self._services = services
        self._inbox = inbox

    async def __call__(self, received: ReceivedEvent) -> None:
        message = received.message
        if self._mark.doctype not in (None, message.attributes.get("doctype")):
            return
        event = self._event(message)
        _enter(message)
        if self._mark.exactly_once and received.group is not None:
            await self._once(received, received.group, event)
        else:
            await self._call(received, event)

    def _event(self, message: EventMessage) -> BaseModel:
        takes = self._registered.takes
        if issubclass(takes, BaseEvent):
            return read(message, takes)
        return read_data(message, takes)

    async def _once(self, received: ReceivedEvent, group: str, event: BaseModel) -> None:
        """The handler's writes and the note that it ran commit together, or neither does."""
        async with self._services.transaction() as tx:
            if await self._inbox.mark(tx.unit, group, received.message.event_id):
                await self._call(received, event)

    async def _call(self, received: ReceivedEvent, event: BaseModel) -> None:
        arguments: tuple[Any, ...] = (event,)
        if self._registered.takes_context:
            most = self._registered.terms.max_attempts
            arguments = (EventContext(received, self._services, most), event)
        if self._is_async:
            await self._function(*arguments)
        else:
            await asyncio.to_thread(cast("Any", self._function), *arguments)


def _enter(message: EventMessage) -> None:
    """From here on this context acts as the event's user, and follows from the event."""
    user_id = message.attributes.get("user_id")
    become(None if user_id is None else User(user_id))
    trace = message.attributes.get("trace_context")
    follow(Cause(correlation_id=message.event_id, trace_context=trace))
