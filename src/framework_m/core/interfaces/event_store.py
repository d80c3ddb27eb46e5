"""Ports: what was handled already, and what could not be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from framework_m.core.interfaces.event_bus import EventMessage
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a group could not handle, with the reason."""

    group: str
    topic: str
    error: str
    attempts: int
    message: EventMessage | None = None
    """None if it could not be read."""
    raw: bytes = b""
    """Then its bytes as they came,"""
    headers: Mapping[str, str] = field(default_factory=dict)
    """and its headers."""
    sequence: int | None = None
    """Its place in the group, where that is kept."""
    id: str = ""
    at: datetime | None = None

    @property
    def event_id(self) -> str | None:
        return None if self.message is None else self.message.event_id


class DeadLetterStore(Protocol):
    """Keeps dead letters until they are re-driven. Raises UnavailableError."""

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        """Keep these. Committed on return."""

    async def list(
        self, *, group: str | None = None, limit: int = 50, before: str | None = None
    ) -> Sequence[DeadLetter]:
        """Newest first; `before` is the id that ended the previous page."""

    async def get(self, letter_id: str) -> DeadLetter | None: ...

    async def delete(self, letter_id: str) -> bool:
        """It was re-driven; False if somebody else has deleted it already."""


class InboxStore(Protocol):
    """Remembers which group has handled which event, for `exactly_once`."""

    async def mark(self, unit: UnitOfWorkProtocol, group: str, event_id: str) -> bool:
        """Note it in the handler's transaction; False if it was noted before.

        Waits for another transaction that is noting the same.
        """
