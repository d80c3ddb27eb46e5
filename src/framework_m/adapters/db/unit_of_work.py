"""The unit of work: one transaction, the actions that follow its commit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from framework_m.adapters.db.engine import translated_errors
from framework_m.core.interfaces.unit_of_work import set_current_unit_of_work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from framework_m.adapters.db.engine import Database

logger = logging.getLogger(__name__)


class UnitOfWork:
    """One open transaction; see the port for its promises."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.is_open = True
        self._turn = asyncio.Lock()
        self._after_commit: list[Callable[[], Awaitable[None]]] = []

    async def execute(self, statement: Any, rows: Any = None) -> Any:
        async with self._turn:
            with translated_errors():
                return await self.connection.execute(statement, rows)

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        self._after_commit.append(action)

    async def committed(self) -> None:
        """Run what was to follow the commit."""
        for action in self._after_commit:
            try:
                await action()
            except Exception as error:  # noqa: BLE001 - whatever it is, the commit stands
                # A sweep does what this action would have done.
                logger.warning("after commit, left to the next sweep: %s", error)


class UnitsOfWork:
    """Opens units of work on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[UnitOfWork]:
        async with self._database.begin() as connection:
            unit = UnitOfWork(connection)
            leave = set_current_unit_of_work(unit)
            try:
                yield unit
            finally:
                unit.is_open = False
                leave()
        await unit.committed()
