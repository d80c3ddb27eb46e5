"""PostgreSQL past SQLAlchemy, for the one statement that is run for every event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
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
