"""SQLAlchemy sessions: joining one that the application has, and opening one for a job."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import await_only

from framework_m.adapters.db.engine import translated_errors
from framework_m.adapters.db.unit_of_work import UnitOfWork
from framework_m.core.errors import ConfigurationError, TransactionFailedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy.orm import Session, SessionTransaction

    from framework_m.adapters.db.engine import Database

logger = logging.getLogger(__name__)

_KEY = "framework_m"


@contextlib.asynccontextmanager
async def joined(session: object, database: Database) -> AsyncIterator[UnitOfWork]:
    """A unit of work inside the session's transaction, which stays the session's to end."""
    if not isinstance(session, AsyncSession):
        raise ConfigurationError(
            f"only an AsyncSession can be joined, not a {type(session).__name__}"
        )
    with translated_errors():
        await session.flush()  # what was added to it comes first, for links to it
        connection = await session.connection()
    unit = _SessionUnit(session, connection, database)
    if connection.dialect.name == "sqlite":
        asked = await connection.exec_driver_sql("PRAGMA foreign_keys")
        unit.enforces_links = bool(asked.scalar_one())
    with unit.entered():
        yield unit


@contextlib.asynccontextmanager
async def opened(database: Database) -> AsyncIterator[AsyncSession]:
    """A session of its own, joined, and committed at the end of the block."""
    async with AsyncSession(database.engine, expire_on_commit=False) as session:
        # No connection yet: the transaction begins with the first statement.
        with _SessionUnit(session, None, database).entered():
            yield session
        with translated_errors():
            await session.commit()


class _SessionUnit(UnitOfWork):
    """Hands to the session what is to follow its commit or its rollback.

    It follows the session from one transaction into the next.
    """

    def __init__(self, session: AsyncSession, connection: Any, database: Database) -> None:
        super().__init__(connection, database)
        self._session = session
        self._follower = _follower_of(session.sync_session, database)

    async def execute(self, statement: Any, rows: Any = None) -> Any:
        if self._innermost() is self:
            await self._follow()
        return await super().execute(statement, rows)

    @contextlib.asynccontextmanager
    async def nested(self) -> AsyncIterator[UnitOfWork]:
        if self._innermost() is self:
            await self._follow()
        async with super().nested() as inner:
            yield inner

    async def _follow(self) -> None:
        with translated_errors():
            self.connection = await self._session.connection()
        if self._follower.failure is None:
            self._failure = None  # it was that of an earlier transaction

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        await self._begin_for_certain()
        async with self._session.begin_nested():
            await self._session.connection()  # only now is there a savepoint
            yield

    async def _begin_for_certain(self) -> None:
        # Python's sqlite3 begins late, before the first write. A savepoint before that would be
        # the whole transaction, and its release the commit.
        if self.connection.dialect.name == "sqlite":
            raw = await self.connection.get_raw_connection()
            driver: Any = raw.driver_connection
            if not driver.in_transaction:
                await self.connection.exec_driver_sql("BEGIN IMMEDIATE")

    def fail(self, error: BaseException) -> None:
        super().fail(error)
        if self._failure is not None:
            self._follower.failure = self._failure

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        inner = self._innermost()
        if inner is not self:
            inner.after_commit(action)
        else:
            self._follower.add(after_commit=action)

    def on_rollback(self, action: Callable[[], None]) -> None:
        inner = self._innermost()
        if inner is not self:
            inner.on_rollback(action)
        else:
            self._follower.add(on_rollback=action)

    def take_over(self, inner: UnitOfWork) -> None:
        for action in inner._after_commit:
            self._follower.add(after_commit=action)
        for undo in inner._on_rollback:
            self._follower.add(on_rollback=undo)


@dataclass(slots=True)
class _Entry:
    transaction: SessionTransaction
    after_commit: Callable[[], Awaitable[None]] | None
    on_rollback: Callable[[], None] | None


@dataclass(slots=True)
class _Follower:
    """What follows the end of one session's transactions, each entry under its own."""

    session: Session
    database: Database
    entries: list[_Entry] = field(default_factory=list)
    failure: BaseException | None = None
    has_committed: bool = False

    def add(
        self,
        after_commit: Callable[[], Awaitable[None]] | None = None,
        on_rollback: Callable[[], None] | None = None,
    ) -> None:
        transaction = self.session.get_nested_transaction() or self.session.get_transaction()
        if transaction is None:
            raise ConfigurationError("the session's transaction has ended inside the block")
        self.entries.append(_Entry(transaction, after_commit, on_rollback))

    def before_commit(self, _: Session) -> None:
        if self.failure is not None:
            raise TransactionFailedError(self.failure) from self.failure

    def after_commit(self, session: Session) -> None:
        released = session.get_nested_transaction()
        if released is not None:  # a savepoint: now the outer one decides
            for entry in self.entries:
                if entry.transaction is released and released.parent is not None:
                    entry.transaction = released.parent
            return
        root = session.get_transaction()
        ready = [entry for entry in self.entries if entry.transaction is root]
        self.entries = [entry for entry in self.entries if entry.transaction is not root]
        # This runs inside `await session.commit()`: it returns when these are done.
        await_only(_run(ready))
        self.has_committed = bool(ready)

    def ended(self, _: Session, transaction: SessionTransaction) -> None:
        """Rolled back, or closed: what was committed is no longer among the entries."""
        undone = [entry for entry in self.entries if entry.transaction is transaction]
        self.entries = [entry for entry in self.entries if entry.transaction is not transaction]
        for entry in reversed(undone):
            if entry.on_rollback is not None:
                entry.on_rollback()
        if transaction.parent is not None:
            return
        self.failure, has_committed, self.has_committed = None, self.has_committed, False
        # Not before: what it raises must not leave a transaction that has ended by half.
        if has_committed and self.database.after_commit is not None:
            await_only(self.database.after_commit())


def _follower_of(session: Session, database: Database) -> _Follower:
    found: _Follower | None = session.info.get(_KEY)
    if found is None:
        found = session.info[_KEY] = _Follower(session, database)
        event.listen(session, "before_commit", found.before_commit)
        event.listen(session, "after_commit", found.after_commit)
        event.listen(session, "after_transaction_end", found.ended)
    return found


async def _run(entries: list[_Entry]) -> None:
    for entry in entries:
        try:
            if entry.after_commit is not None:
                await entry.after_commit()
        except Exception as error:  # noqa: BLE001 - whatever it is, the commit stands
            logger.warning("after commit, left to the next sweep: %s", error)
