"""Port: which schedules the code of running processes declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol


@dataclass(frozen=True, slots=True)
class StoredDeclaration:
    """What is known of one schedule. Definitions are hashes."""

    definition: str
    superseded: tuple[str, ...]
    """What it was before, the latest first."""
    is_fresh: bool
    """Whether a running process has said so lately."""


class ScheduleDeclarations(Protocol):
    """Remembers what code declares, and when it last did. Raises UnavailableError, nothing else.

    In the midst of a deploy, processes of two versions declare different things. What one of them
    has said lately is not another's to take back.
    """

    async def all(self, *, fresh_for: timedelta) -> Mapping[str, StoredDeclaration]:
        """By the schedule's name."""

    async def say(
        self, unit: UnitOfWorkProtocol, name: str, definition: str, superseded: Collection[str]
    ) -> None:
        """From now on it is this."""

    async def confirm(self, names: Collection[str]) -> None:
        """These still are what they were said to be."""

    async def forget(self, unit: UnitOfWorkProtocol, name: str, *, fresh_for: timedelta) -> bool:
        """Nobody declares it any more; False, and nothing is done, if somebody has by now."""

    async def release(self, unit: UnitOfWorkProtocol, name: str) -> None:
        """Its record is now like one that was saved by hand."""

    async def revive(self, name: str, next_run: datetime) -> None:
        """If it is enabled and due at no time, let it be due then."""
