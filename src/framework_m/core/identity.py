"""Who acts: the user on whose behalf this context works. Documents and jobs carry it."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class User:
    """A user's id, and the roles held at the time: when a request came in, a job was enqueued."""

    id: str
    roles: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.id


_user: ContextVar[User | None] = ContextVar("framework_m_user", default=None)


def acting_user() -> User | None:
    """The user who acts here; None where the program acts by itself."""
    return _user.get()


def acting_user_id() -> str | None:
    """The same, only the id."""
    user = _user.get()
    return None if user is None else user.id


def become(user: User | None) -> None:
    """The rest of this context, as a rule that of an asyncio task of its own, acts as this user."""
    _user.set(user)


@contextlib.contextmanager
def acting_as(user: User | str | None) -> Iterator[None]:
    """Everything in the block, and the tasks it starts, is done by this user."""
    token = _user.set(User(user) if isinstance(user, str) else user)
    try:
        yield
    finally:
        _user.reset(token)
