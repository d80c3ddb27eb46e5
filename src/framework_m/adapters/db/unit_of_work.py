"""The unit of work: one transaction, savepoints in it, and what follows its commit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from framework_m.adapters.db import postgresql, sqlite
from framework_m.adapters.db.engine import translated_errors
from framework_m.core import clock
from framework_m.core.errors import ConfigurationError, TransactionFailedError
from framework_m.core.interfaces.unit_of_work import (
    UnitOfWorkProtocol,
    current_unit_of_work,
    set_current_unit_of_work,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    from framework_m.adapters.db.engine import Database

logger = logging.getLogger(__name__)


class UnitOfWork:
    """One open transaction; see the port for its promises."""

    def __init__(
        self, connection: AsyncConnection, database: Database, outer: UnitOfWork | None = None
    ) -> None:
        self.connection = connection
        self.database = database
        self.outer = outer
        self.began_at: datetime = clock.now() if outer is None else outer.began_at
        self.is_open = True
        self.enforces_links: bool = outer.enforces_links if outer is not None else True
        # Held for one statement, or by a savepoint for its whole block.
        self._turn = asyncio.Lock()
        self._failure: BaseException | None = None
        self._after_commit: list[Callable[[], Awaitable[None]]] = []
        self._on_rollback: list[Callable[[], None]] = []

    async def execute(self, statement: Any, rows: Any = None) -> Any:
        unit = self._innermost()
        async with unit._turn:
            unit.require_sound()
            try:
                with translated_errors():
                    return await unit.connection.execute(statement, rows)
            except BaseException as error:
                # PostgreSQL would turn the coming COMMIT into a silent ROLLBACK.
                unit.fail(error)
                raise

    async def insert_directly(self, statement: str, values: tuple[Any, ...]) -> int | None:
        """Insert one row past SQLAlchemy, which takes longer for it than the database does.

        Its number; None where the transaction has not begun yet, so that this cannot be done.
        """
        unit = self._innermost()
        async with unit._turn:
            unit.require_sound()
            try:
                with translated_errors():
                    insert = postgresql.insert if unit.database.is_postgresql else sqlite.insert
                    return await insert(unit.connection, statement, values)
            except BaseException as error:
                unit.fail(error)
                raise

    def fail(self, error: BaseException) -> None:
        unit = self._innermost()
        unit._failure = unit._failure or error

    def require_sound(self) -> None:
        """Raises TransactionFailedError if it cannot commit."""
        if self._failure is not None:
            raise TransactionFailedError(self._failure) from self._failure

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        self._innermost()._after_commit.append(action)

    def on_rollback(self, action: Callable[[], None]) -> None:
        self._innermost()._on_rollback.append(action)

    @contextlib.asynccontextmanager
    async def nested(self) -> AsyncIterator[UnitOfWork]:
        unit = self._innermost()
        async with unit._turn:
            unit.require_sound()
            inner = UnitOfWork(unit.connection, unit.database, outer=unit)
            with inner.entered():
                async with unit.savepoint():
                    yield inner
                    inner.require_sound()
            unit.take_over(inner)

    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        return self.connection.begin_nested()

    def take_over(self, inner: UnitOfWork) -> None:
        """What is released is now this one's to commit or to undo."""
        self._after_commit += inner._after_commit
        self._on_rollback += inner._on_rollback

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Current in the block, closed after it; an error undoes what was done."""
        leave = set_current_unit_of_work(self)
        try:
            yield
        except BaseException:
            self.rolled_back()
            raise
        finally:
            self.is_open = False
            leave()

    def rolled_back(self) -> None:
        """Take back, newest first, what was noted in the program."""
        while self._on_rollback:
            self._on_rollback.pop()()

    async def committed(self) -> None:
        """Run what was to follow the commit."""
        for action in self._after_commit:
            try:
                await action()
            except Exception as error:  # noqa: BLE001 - whatever it is, the commit stands
                # A sweep does what this action would have done.
                logger.warning("after commit, left to the next sweep: %s", error)

    def _innermost(self) -> UnitOfWork:
        """Where this context stands: itself, or the savepoint inside it that the caller is in.

        Who uses the outer transaction inside a savepoint's block means the block; a concurrent
        caller outside the block does not.
        """
        current = current_unit_of_work()
        unit: UnitOfWorkProtocol | None = current
        while unit is not None:
            if unit is self and isinstance(current, UnitOfWork):
                return current
            unit = unit.outer
        return self


class UnitsOfWork:
    """Opens units of work on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self) -> UnitOfWork | None:
        """The context's open unit, if it is on this database."""
        unit = current_unit_of_work()
        ours = isinstance(unit, UnitOfWork) and unit.database is self._database
        return unit if ours else None  # type: ignore[return-value]

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[UnitOfWork]:
        outer = self.current()
        async with outer.nested() if outer is not None else self._begun() as unit:
            yield unit

    @contextlib.asynccontextmanager
    async def join(self, session: Any) -> AsyncIterator[UnitOfWork]:
        # Few applications have sessions of their own, and the ORM is a large import.
        from framework_m.adapters.db.session import joined  # noqa: PLC0415

        async with joined(session, self._database) as unit:
            yield unit

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        if self.current() is not None:
            raise ConfigurationError(
                "a session has its own transaction, and this context has one already: open the "
                "session first, or use the transaction's own `execute`"
            )
        from framework_m.adapters.db.session import opened  # noqa: PLC0415 - as above

        async with opened(self._database) as session:
            yield session

    @contextlib.asynccontextmanager
    async def _begun(self) -> AsyncIterator[UnitOfWork]:
        unit: UnitOfWork | None = None
        try:
            async with self._database.begin() as connection:
                unit = UnitOfWork(connection, self._database)
                with unit.entered():
                    yield unit
                    unit.require_sound()
        except BaseException:
            if unit is not None:  # the commit itself failed
                unit.rolled_back()
            raise
        await unit.committed()
        if self._database.after_commit is not None:
            await self._database.after_commit()
