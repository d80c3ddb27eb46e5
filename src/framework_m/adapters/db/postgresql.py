"""PostgreSQL past SQLAlchemy, for the few statements that are run for every event."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


async def insert(
    connection: AsyncConnection, statement: str, values: tuple[Any, ...]
) -> int | None:
    """Insert one row that RETURNS its number. Raises SQLAlchemy's OperationalError.

    None, and nothing is done, while SQLAlchemy has not begun the transaction: it does so with
    its own first statement.
    """
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    if not driver.is_in_transaction():
        return None
    try:
        return int(await driver.fetchval(statement, *values))
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise OperationalError(statement, None, error) from error


async def fetch(connection: AsyncConnection, statement: str, *values: Any) -> Sequence[Any]:
    """The rows of one statement that commits by itself. Raises SQLAlchemy's OperationalError."""
    async with _driver(connection) as driver:
        rows: Sequence[Any] = await driver.fetch(statement, *values)
        return rows


@contextlib.asynccontextmanager
async def transaction(connection: AsyncConnection) -> AsyncIterator[Any]:
    """The driver in a transaction of its own, each of whose statements sees what is committed.

    Raises SQLAlchemy's OperationalError.
    """
    async with _driver(connection) as driver, driver.transaction(isolation="read_committed"):
        yield driver


@contextlib.asynccontextmanager
async def _driver(connection: AsyncConnection) -> AsyncIterator[Any]:
    """On a connection on which SQLAlchemy has begun nothing."""
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    try:
        yield driver
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if driver.is_closed():  # SQLAlchemy would not see it, and give it to the next
            await connection.invalidate()
        raise OperationalError("past SQLAlchemy", None, error) from error
