"""The schema of a test's empty database: made once in a run, then copied or emptied.

As the kit makes it, not by all revisions: tests/migration holds that they make the same.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url

from framework_m import FrameworkM
from tests.support import servers
from tests.support.servers import PostgresServer

if TYPE_CHECKING:
    import asyncpg

Modules = tuple[str, ...]
"""Those whose DocTypes have tables in it."""

_files: dict[Modules, bytes] = {}
_made: dict[str, list[tuple[Any, ...]]] = {}
"""PostgreSQL's schemas that have their tables, and what these look like."""

_LOOKS = 50
# What tells that a test has changed more than rows; statistics would change plans.
_SHAPE = """
SELECT relname, relkind::text, relnatts, exists(SELECT FROM pg_statistic WHERE starelid = oid)
FROM pg_class WHERE relnamespace = '{schema}'::regnamespace ORDER BY 1
"""
_OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_EMPTY = """
DO $$
DECLARE
    it record; has_rows boolean; filled text[] := '{{}}';
BEGIN
    FOR it IN SELECT oid::regclass::text AS name, relkind FROM pg_class
        WHERE relnamespace = '{schema}'::regnamespace AND relname NOT LIKE '%version'
    LOOP
        IF it.relkind = 'S' THEN
            EXECUTE format('ALTER SEQUENCE %s RESTART', it.name);
        ELSIF it.relkind = 'r' THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', it.name) INTO has_rows;
            IF has_rows THEN filled := filled || it.name; END IF;
        END IF;
    END LOOP;
    IF filled <> '{{}}' THEN
        EXECUTE 'TRUNCATE ' || array_to_string(filled, ', ') || ' CASCADE';
    END IF;
END $$
"""


async def make_schema(app: FrameworkM) -> None:
    """Of a closed application: the framework's tables, and those of its DocTypes."""
    url = make_url(app.settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        await _make_file(app, url)
    elif (schema := app.settings.database_schema) is None:  # on a server of the test's own
        await _create(app)
    elif schema not in _made:
        await _create(app)
        async with app:
            rows = await app.ports.database.fetch(text(_SHAPE.format(schema=schema)))
        _made[schema] = [tuple(row) for row in rows]


async def _make_file(app: FrameworkM, url: URL) -> None:
    file = Path(url.database or "")
    if file.exists():
        return  # opened once more
    if app.modules in _files:
        file.write_bytes(_files[app.modules])
        return
    await _create(app)
    # Closed: all is in the file, and nothing beside it.
    assert not file.with_name(f"{file.name}-wal").exists()
    _files[app.modules] = file.read_bytes()


async def _create(app: FrameworkM) -> None:
    async with app:
        await app.ports.create_schema()


class Schemas:
    """PostgreSQL's, that tests leave to those after them: to make one costs a tenth of a second."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._kept: dict[Modules, str] = {}

    @contextlib.asynccontextmanager
    async def lent(self, modules: Sequence[str]) -> AsyncIterator[str]:
        """One for these modules: new, or with its tables, which are empty."""
        key = tuple(modules)
        schema = self._kept.pop(key, "")
        if not schema:
            schema = f"t{uuid.uuid4().hex[:12]}"
            async with self._connected() as connection:
                await connection.execute(f"CREATE SCHEMA {schema}")
        yield schema
        async with self._connected() as connection:
            found = [tuple(row) for row in await connection.fetch(_SHAPE.format(schema=schema))]
            if found == _made.get(schema) and await _is_left(connection):
                await connection.execute(_EMPTY.format(schema=schema))
                self._kept[key] = schema
            else:
                await _drop(connection, schema)

    async def drop(self) -> None:
        """All that are kept: the server may outlive the run."""
        async with self._connected() as connection:
            for schema in self._kept.values():
                await _drop(connection, schema)

    @contextlib.asynccontextmanager
    async def _connected(self) -> "AsyncIterator[asyncpg.Connection]":
        import asyncpg

        connection = await asyncpg.connect(servers.plain_dsn(self._server.url))
        try:
            yield connection
        finally:
            await connection.close()


async def _is_left(connection: "asyncpg.Connection") -> bool:
    """Whether nobody is connected any more who could still write into it."""
    for _ in range(_LOOKS):
        if await connection.fetchval(_OTHERS) == 0:
            return True
        await asyncio.sleep(0.005)
    return False


async def _drop(connection: "asyncpg.Connection", schema: str) -> None:
    _made.pop(schema, None)
    await connection.execute(f"DROP SCHEMA {schema} CASCADE")
