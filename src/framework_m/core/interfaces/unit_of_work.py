"""Port: one database transaction, and what happens after it commits (invariant 1)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager


class UnitOfWorkProtocol(Protocol):
    """One open transaction.

    What is written through it commits or vanishes together. Leaving its block normally commits,
    leaving it by an exception rolls back.
    """

    @property
    def is_open(self) -> bool:
        """False once it has committed or rolled back."""

    async def execute(self, statement: Any, rows: Any = None) -> Any:
        """Run one statement in the transaction. Concurrent callers take turns."""

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do this when the transaction has committed, and never if it has not.

        The action is lost if the process dies first, so it may only hasten what a sweep would
        do anyway. Its errors are logged and do not reach the committer.
        """


class UnitOfWorkFactory(Protocol):
    """Opens transactions."""

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWorkProtocol]: ...


_current: ContextVar[UnitOfWorkProtocol | None] = ContextVar("framework_m_unit", default=None)


def current_unit_of_work() -> UnitOfWorkProtocol | None:
    """The open transaction of this context.

    A task that was started inside a transaction inherits it, and outlives it: a closed one does
    not count.
    """
    unit = _current.get()
    return unit if unit is not None and unit.is_open else None


def set_current_unit_of_work(unit: UnitOfWorkProtocol | None) -> Callable[[], None]:
    """Make it the current one; returns what undoes that."""
    token = _current.set(unit)
    return lambda: _current.reset(token)
