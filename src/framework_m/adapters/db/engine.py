"""The database: engines for SQLite and PostgreSQL, transactions, and errors in our own terms."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from framework_m.core.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_BUSY_TIMEOUT = 30.0
_CONNECT_TIMEOUT = 5.0
_READ_ONLY = "framework_m_read_only"


class Database:
    """One database, as one event loop sees it."""

    def __init__(self, url: str, *, schema: str | None = None, pool_size: int = 10) -> None:
        self.url = url
        self.schema = schema
        self.is_postgresql = url.startswith("postgresql")
        self._pool_size = pool_size
        self.engine = self._build()
        # SQLite has one writer. Waiting here is fair and immediate; SQLite's own busy handler
        # polls. Other processes still meet in the busy handler.
        self._writer = asyncio.Lock()

    def alone(self) -> Database:
        """The same database with connections of its own, for another thread's event loop."""
        return Database(self.url, schema=self.schema, pool_size=0)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A writing transaction: committed on leaving, rolled back on error.

        On SQLite it begins IMMEDIATE: a deferred one would lose a race to upgrade its lock and
        fail, or read what it is about to overwrite.
        """
        async with self._turn():
            with translated_errors():
                async with self.engine.begin() as connection:
                    yield connection

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, and waits for no writer."""
        with translated_errors():
            async with self.engine.connect() as connection:
                await connection.execution_options(**{_READ_ONLY: True})
                yield connection

    async def ping(self) -> None:
        """Raises DatabaseUnavailableError unless the database answers within seconds."""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT), self.read() as connection:
                await connection.execute(text("SELECT 1"))
        except TimeoutError as error:
            raise DatabaseUnavailableError("it did not answer in time") from error

    async def close(self) -> None:
        await self.engine.dispose()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self.is_postgresql:
            yield
            return
        try:
            async with asyncio.timeout(_BUSY_TIMEOUT):
                await self._writer.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailableError(
                f"another transaction of this process has held SQLite's write lock for "
                f"{_BUSY_TIMEOUT:g} s"
            ) from error
        try:
            yield
        finally:
            self._writer.release()

    def _build(self) -> AsyncEngine:
        if self.is_postgresql:
            return self._build_postgresql()
        engine = create_async_engine(
            self.url, connect_args={"timeout": _BUSY_TIMEOUT}, **self._pool_options()
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine

    def _build_postgresql(self) -> AsyncEngine:
        server_settings = {"application_name": "framework_m"}
        if self.schema:
            server_settings["search_path"] = self.schema
        return create_async_engine(
            self.url,
            connect_args={"server_settings": server_settings, "timeout": _CONNECT_TIMEOUT},
            **self._pool_options(),
        )

    def _pool_options(self) -> dict[str, Any]:
        if not self._pool_size:
            return {"poolclass": NullPool}
        return {"pool_size": self._pool_size, "max_overflow": 10, "pool_pre_ping": False}


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by itself, DEFERRED; SQLAlchemy does it instead, below.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    reads = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Say in our terms that the database is away; let every other error pass."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise DatabaseUnavailableError(_brief(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailableError(_brief(error)) from error
        raise
    except (ConnectionError, FileNotFoundError) as error:  # asyncpg, while it connects
        raise DatabaseUnavailableError(str(error) or type(error).__name__) from error
    except TimeoutError as error:
        raise DatabaseUnavailableError("it did not answer in time") from error


def _brief(error: Exception) -> str:
    """The driver's words in one line, without the statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__


def safe_url(url: str) -> str:
    """The URL for logs and people: no password."""
    return make_url(url).render_as_string(hide_password=True)
