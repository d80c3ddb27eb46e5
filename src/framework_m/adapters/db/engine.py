"""The database: engines for SQLite and PostgreSQL, transactions, and errors in our own terms."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from framework_m.adapters.db import postgresql, sqlite
from framework_m.core.errors import ConfigurationError, DatabaseUnavailableError, LockTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from framework_m.core.clock import Clock

_CONNECT_TIMEOUT = 5.0
_LOCK_NOT_AVAILABLE = "55P03"


class Database:
    """One database, as one event loop sees it."""

    def __init__(
        self,
        url: str,
        *,
        schema: str | None = None,
        pool_size: int = 10,
        engine: AsyncEngine | None = None,
        clock: Clock | None = None,
    ) -> None:
        """clock: on SQLite, what the database takes for the time; its own by default."""
        self.url = url
        self.clock = clock
        self.after_commit: Callable[[], Awaitable[None]] | None = None
        """Awaited after each commit of a unit of work; what it raises goes to who committed."""
        self.schema = schema
        self.is_postgresql = url.startswith("postgresql")
        self._pool_size = pool_size
        self._is_shared = engine is not None
        self.engine = self._build() if engine is None else self._checked(engine)
        # SQLite has one writer. Waiting here is fair and immediate; SQLite's own busy handler
        # polls. Other processes still meet in the busy handler.
        self._writer = asyncio.Lock()

    def alone(self) -> Database:
        """The same database with connections of its own, for another thread's event loop."""
        return Database(self.url, schema=self.schema, pool_size=0, clock=self.clock)

    def reserved(self, connections: int) -> Database:
        """The same database with so many connections that nobody else can use up."""
        other = Database(self.url, schema=self.schema, pool_size=connections, clock=self.clock)
        other._writer = self._writer
        return other

    @contextlib.asynccontextmanager
    async def begin(self, *, rebuilding: bool = False) -> AsyncIterator[AsyncConnection]:
        """A writing transaction: committed on leaving, rolled back on error.

        rebuilding: on SQLite, links are not enforced meanwhile, so that tables which others link
            to can be replaced.
        """
        async with self._turn(), self._connection() as connection:
            loosely = rebuilding and not self.is_postgresql
            with sql_errors():
                unlinked = sqlite.unlinked(connection) if loosely else contextlib.nullcontext()
                async with unlinked, connection.begin():
                    yield connection

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Reads, and waits for no writer. Each statement sees one state, two may see two."""
        async with self._connection() as connection:
            with sql_errors():
                await connection.execution_options(**{sqlite.READ_ONLY: True})
                yield connection

    async def fetch(self, statement: Any, values: Any = None) -> Sequence[Any]:
        """The rows of one statement that reads: one statement needs no transaction around it."""
        async with self._connection() as connection:
            with sql_errors():
                reading = {sqlite.READ_ONLY: True}  # on SQLite no transaction is begun
                alone = {"isolation_level": "AUTOCOMMIT"} if self.is_postgresql else reading
                await connection.execution_options(**alone)
                return (await connection.execute(statement, values)).all()

    async def fetch_directly(self, statement: str, *values: Any) -> Sequence[Any]:
        """PostgreSQL: the rows of one statement past SQLAlchemy, which commits by itself."""
        async with self._connection() as connection:
            with sql_errors():
                return await postgresql.fetch(connection, statement, *values)

    async def ping(self) -> None:
        """Raises DatabaseUnavailableError unless the database answers within seconds."""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT), self.read() as connection:
                await connection.execute(text("SELECT 1"))
        except TimeoutError as error:
            raise DatabaseUnavailableError("it did not answer in time") from error

    async def close(self) -> None:
        """Close the connections, unless the engine is somebody else's."""
        if not self._is_shared:
            await self.engine.dispose()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        with translated_errors():
            connection = await self.engine.connect()
        try:
            yield connection
        finally:
            with translated_errors():
                await connection.close()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self.is_postgresql:
            yield
            return
        try:
            async with asyncio.timeout(sqlite.BUSY_TIMEOUT):
                await self._writer.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailableError(
                f"another transaction of this process has held SQLite's write lock for "
                f"{sqlite.BUSY_TIMEOUT:g} s"
            ) from error
        try:
            yield
        finally:
            self._writer.release()

    def _checked(self, engine: AsyncEngine) -> AsyncEngine:
        if not self.is_postgresql:
            raise ConfigurationError(
                "an engine can be shared on PostgreSQL only: on SQLite our transactions begin "
                "otherwise than yours; sessions can be shared on both"
            )
        if self.schema is not None:
            raise ConfigurationError("a shared engine has its own search_path: set no schema")
        return engine

    def _build(self) -> AsyncEngine:
        if self.is_postgresql:
            return self._build_postgresql()
        return sqlite.build_engine(self.url, self._pool_options(), self.clock)

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


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Say in our terms that the database is away; let every other error pass.

    Only around calls of the driver: a ConnectionError may as well be the user's own.
    """
    try:
        with sql_errors():
            yield
    except (ConnectionError, FileNotFoundError) as error:  # asyncpg, while it connects
        raise DatabaseUnavailableError(str(error) or type(error).__name__) from error
    except TimeoutError as error:
        raise DatabaseUnavailableError("it did not answer in time") from error


@contextlib.contextmanager
def sql_errors() -> Iterator[None]:
    """The same for SQLAlchemy's errors alone: safe around the user's own code."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise DatabaseUnavailableError(_brief(error)) from error
    except DBAPIError as error:
        # SQLite's "file is not a database" and "malformed" have no class of their own.
        if error.connection_invalidated or type(error) is DatabaseError or _is_away(error):
            raise DatabaseUnavailableError(_brief(error)) from error
        if _state(error) == _LOCK_NOT_AVAILABLE:
            raise LockTimeoutError from error
        # A deadlock, or a conflict of serializable transactions, is nobody's fault: whoever waits
        # out an outage does the same again, and loses neither an outcome nor a message.
        if _state(error).startswith("40"):
            raise DatabaseUnavailableError(f"try again: {_brief(error)}") from error
        raise


def _is_away(error: DBAPIError) -> bool:
    """PostgreSQL: the connection failed, or the server stops or starts just now.

    asyncpg says so of a connection that is being made, too, which nothing marks as invalidated.
    """
    return _state(error).startswith(("08", "57P"))


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _brief(error: Exception) -> str:
    """The driver's words in one line, without the statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__


def safe_url(url: str) -> str:
    """The URL for logs and people: no password."""
    return make_url(url).render_as_string(hide_password=True)
