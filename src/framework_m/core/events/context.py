"""EventContext: what a handler knows of the delivery, and may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.core.context import ServiceContext

if TYPE_CHECKING:
    from framework_m.core.context import Services
    from framework_m.core.interfaces.event_bus import ReceivedEvent


class EventContext(ServiceContext):
    """Given to an event handler whose first parameter is annotated with it."""

    __slots__ = ("_received", "max_attempts")

    def __init__(self, received: ReceivedEvent, services: Services, max_attempts: int) -> None:
        super().__init__(services)
        self._received = received
        self.max_attempts = max_attempts

    @property
    def event_id(self) -> str:
        """The same in every attempt, and in every group."""
        return self._received.message.event_id

    @property
    def topic(self) -> str:
        return self._received.message.topic

    @property
    def group(self) -> str | None:
        """The group's name on the bus; None in a broadcast."""
        return self._received.group

    @property
    def attempt(self) -> int:
        """1 on the first try. A crash of the process counts, too."""
        return self._received.attempt

    @property
    def sequence(self) -> int | None:
        """The event's place on the bus: what `start=` takes."""
        return self._received.sequence

    @property
    def user_id(self) -> str | None:
        """Who caused the event; the handler acts as this user."""
        return self._received.message.attributes.get("user_id")
