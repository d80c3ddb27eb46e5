"""Port: one database transaction, and what happens after it commits (invariant 1)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime


class UnitOfWorkProtocol(Protocol):
    """One open transaction.

    What is written through it commits or vanishes together. Leaving its block normally commits,
    leaving it by an exception rolls back. One that has failed (a statement was refused, `fail`
    was called) does not commit: leaving its block normally then raises TransactionFailedError,
    on every database.
    """

    @property
    def is_open(self) -> bool:
        """False once it has committed or rolled back."""

    @property
    def began_at(self) -> datetime:
        """When the transaction was opened; a savepoint has that of the whole."""

    @property
    def outer(self) -> UnitOfWorkProtocol | None:
        """The one that this one is nested in."""

    async def execute(self, statement: Any, rows: Any = None) -> Any:
        """Run one statement in the transaction. Concurrent callers take turns.

        Raises UnavailableError, TransactionFailedError, and what the database refuses as
        SQLAlchemy's own errors.
        """

    def fail(self, error: BaseException) -> None:
        """Never commit this, whoever catches the error: half of something may be written."""

    def nested(self) -> AbstractAsyncContextManager[UnitOfWorkProtocol]:
        """A savepoint: an error that leaves the block undoes the block, and only that.

        Concurrent users of the outer one wait until the block has ended.
        """

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do this when the transaction has committed, and never if it has not.

        The action is lost if the process dies first, so it may only hasten what a sweep would
        do anyway. Its errors are logged and do not reach the committer.
        """

    def on_rollback(self, action: Callable[[], None]) -> None:
        """Do this when what was written so far is undone."""


class UnitOfWorkFactory(Protocol):
    """Opens transactions."""

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWorkProtocol]:
        """A new one; nested, where the context has an open one."""

    def join(self, session: Any) -> AbstractAsyncContextManager[UnitOfWorkProtocol]:
        """The transaction of an SQLAlchemy AsyncSession that the application already has.

        Leaving the block neither commits nor rolls back. Actions follow the session's own
        commit, and are dropped by its rollback.
        """

    def session(self) -> AbstractAsyncContextManager[Any]:
        """An SQLAlchemy AsyncSession of its own, which is what the block joins.

        What is left at its end is committed. Raises ConfigurationError inside a transaction.
        """


_current: ContextVar[UnitOfWorkProtocol | None] = ContextVar("framework_m_unit", default=None)


def current_unit_of_work() -> UnitOfWorkProtocol | None:
    """The open transaction of this context.

    A task that was started inside a transaction inherits it, and outlives it: a closed one does
    not count, but the open one that it was nested in does.
    """
    unit = _current.get()
    while unit is not None and not unit.is_open:
        unit = unit.outer
    return unit


def set_current_unit_of_work(unit: UnitOfWorkProtocol | None) -> Callable[[], None]:
    """Make it the current one; returns what undoes that."""
    token = _current.set(unit)
    return lambda: _current.reset(token)
