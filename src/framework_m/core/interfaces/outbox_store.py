"""Port: events that are committed and not yet on the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import timedelta

    from framework_m.core.interfaces.event_bus import EventMessage
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One event, at its place. Of one key, a lower position was committed earlier."""

    position: int
    message: EventMessage


class OutboxStore(Protocol):
    """Keeps events from their transaction until the bus has them.

    Raises: UnavailableError.
    """

    async def append(
        self, unit: UnitOfWorkProtocol, messages: Sequence[EventMessage]
    ) -> Sequence[OutboxRow]:
        """Write them in the caller's transaction, in one statement.

        The rows, where somebody will need their positions; else nothing.
        """

    def placed_at(self, position: int, message: EventMessage) -> Sequence[OutboxRow]:
        """The same for one that was written together with what it tells of."""

    async def held_back(self, rows: Sequence[OutboxRow]) -> Collection[int]:
        """The positions of those before which another row of their key has to go."""

    async def oldest(self, limit: int, *, older_than: timedelta) -> Sequence[OutboxRow]:
        """What was committed at least that long ago and is still here, in order."""

    async def is_empty(self) -> bool:
        """Whether everything that was committed is on the bus."""

    async def delete(self, rows: Sequence[OutboxRow]) -> None:
        """The bus has these for good. Twice is harmless."""
