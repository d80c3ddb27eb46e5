"""Port: requests that are sent again, and must not be done again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under a key of the caller's choice, which every repetition has."""

    user_id: str
    key: str
    digest: str
    """Of what was asked for: a repetition asks for the same."""


class ReplayStore(Protocol):
    """Remembers for 24 hours which job a request has led to."""

    async def once(self, asked: Asked, enqueue: Callable[[], Awaitable[str]]) -> str:
        """The job's id: of the earlier request of this user with this key, else of a new job.

        The job and the memory of it commit together, so of two requests at once one enqueues.
        Raises ReusedKeyError (the earlier request asked for something else), UnavailableError,
        and what `enqueue` raises, which is then not remembered.
        """

    async def forget_expired(
        self, limit: int, *, after: Asked | None = None
    ) -> tuple[int, Asked | None]:
        """Look at the next `limit` requests beyond `after`, and remove those that are too old.

        How many that were, and where to look on; None at the end. In a transaction of its own,
        if there is anything to remove. Raises UnavailableError.
        """
