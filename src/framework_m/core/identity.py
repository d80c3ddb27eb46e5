"""Who acts: the user on whose behalf this context works. Documents are stamped with it."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_user: ContextVar[str | None] = ContextVar("framework_m_user", default=None)


def acting_user() -> str | None:
    """The id of the user who acts here; None where the program acts by itself."""
    return _user.get()


@contextlib.contextmanager
def acting_as(user_id: str | None) -> Iterator[None]:
    """Everything in the block, and the tasks it starts, is done by this user."""
    token = _user.set(user_id)
    try:
        yield
    finally:
        _user.reset(token)
