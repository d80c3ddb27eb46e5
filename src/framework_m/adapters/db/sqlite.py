"""SQLite as we open it: write-ahead log, our own transactions, one writer at a time."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from framework_m.core.clock import Clock

BUSY_TIMEOUT = 30.0
READ_ONLY = "framework_m_read_only"
"""Execution option of a connection that will not write."""
CLOCK = "framework_m_now"
"""SQL function of connections that go by a clock of ours: the time so many seconds from now."""


def build_engine(url: str, pool: dict[str, Any], clock: Clock | None = None) -> AsyncEngine:
    """An engine whose transactions begin IMMEDIATE unless they are marked as reading only.

    clock: where the database's time comes from, instead of SQLite itself.
    """
    engine = create_async_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT, "async_creator_fn": _connect}, **pool
    )
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    if clock is not None:
        _go_by(engine.sync_engine, clock)
    return engine


def _go_by(engine: Engine, clock: Clock) -> None:
    """Let statements ask this clock where they would ask SQLite for the time."""

    def told(shift: float) -> str:
        return (clock.now() + timedelta(seconds=shift)).strftime("%Y-%m-%d %H:%M:%S.%f")

    def prepare(connection: Any, _record: Any) -> None:
        connection.create_function(CLOCK, 1, told)

    event.listen(engine, "connect", prepare)
    engine.dialect.framework_m_clock = True  # type: ignore[attr-defined]


def has_clock(dialect: Any) -> bool:
    """Whether statements for this dialect are to ask `CLOCK`."""
    return getattr(dialect, "framework_m_clock", False)


async def _connect(*args: Any, **options: Any) -> aiosqlite.Connection:
    # Without an isolation level the driver begins no transactions by itself (DEFERRED ones):
    # SQLAlchemy does, below.
    connection = aiosqlite.connect(*args, isolation_level=None, **options)
    connection._thread.daemon = True  # as SQLAlchemy does: a forgotten one must not hold up exit
    try:
        return await connection
    except BaseException:
        # The driver tells its thread to end and does not wait; if the event loop closes first,
        # the thread prints a traceback.
        await asyncio.to_thread(connection._thread.join, 1)
        raise


@contextlib.asynccontextmanager
async def unlinked(connection: AsyncConnection) -> AsyncIterator[None]:
    """Foreign keys are not enforced in the block; it has to begin its own transaction."""
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    await driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        await driver.execute("PRAGMA foreign_keys=ON")


async def insert(
    connection: AsyncConnection, statement: str, values: tuple[Any, ...]
) -> int | None:
    """Insert one row past SQLAlchemy; its number. Raises SQLAlchemy's OperationalError.

    One visit to the connection's thread instead of four.
    """
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    try:
        row = await driver.execute_insert(statement, values)
    except sqlite3.Error as error:
        raise OperationalError(statement, None, error) from error
    return int(row[0])


def _prepare(connection: Any, _record: Any) -> None:
    try:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
    except Exception:
        connection.close()  # the pool has not taken it yet, and its thread would stay
        raise


def _begin(connection: Any) -> None:
    """Begin to write, at once; do not begin to read.

    A deferred transaction would lose a race to upgrade its lock and fail, or overwrite what it
    had read before somebody else changed it. A statement that only reads needs none: it sees one
    state of the database, as it does on PostgreSQL.
    """
    if connection.get_execution_options().get(READ_ONLY, False):
        return
    # Straight to the driver: as a statement of SQLAlchemy's it costs four visits to the
    # connection's thread instead of one.
    try:
        connection.connection.run_async(_begin_immediate)
    except sqlite3.Error as error:
        raise OperationalError("BEGIN IMMEDIATE", None, error) from error


async def _begin_immediate(driver: aiosqlite.Connection) -> None:
    await driver.execute("BEGIN IMMEDIATE")
