"""Migrations of the built-in records: bring a database to this version, or say what it lacks."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import (
    Column,
    MetaData,
    String,
    Table,
    column,
    insert,
    inspect,
    select,
    table,
    text,
)

from framework_m.adapters.db.schema import metadata
from framework_m.core.errors import SchemaOutdatedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from framework_m.adapters.db.engine import Database

VERSION_TABLE = "framework_m_version"
_LOCK = 0x46_4D_4D_49_47  # any fixed number: concurrent migrations take turns on PostgreSQL


def scripts() -> Path:
    """The folder of revisions: inside the package once installed, beside src/ in a checkout."""
    packaged = Path(__file__).parents[2] / "alembic"
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "alembic"


@cache
def head() -> str:
    """The revision that this version needs."""
    return revisions()[0]


async def current(database: Database) -> str | None:
    """The revision that the database is at; None if it has none. Raises UnavailableError."""
    async with database.read() as connection:
        return await connection.run_sync(_current)


async def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision, in one transaction. Safe to run many at once."""
    async with taking_turns(database) as connection:
        await connection.run_sync(_upgrade, revision)


async def create(database: Database) -> None:
    """Make in an empty database what all revisions would have made, sooner: for tests."""
    async with database.begin() as connection:
        await connection.run_sync(_create)


@contextlib.asynccontextmanager
async def taking_turns(database: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction to migrate in. Whoever else migrates waits for its end."""
    async with database.begin(rebuilding=True) as connection:
        if database.is_postgresql:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            if database.schema:
                await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{database.schema}"'))
        yield connection


async def require_current(database: Database) -> None:
    """Raises SchemaOutdatedError unless the schema is at least the one this version needs.

    A newer schema is fine: changes expand first and contract later (invariant 14).
    """
    found = await current(database)
    needed = head()
    if found == needed or (found is not None and found not in revisions()):
        return
    raise SchemaOutdatedError(found, needed)


@cache
def revisions() -> tuple[str, ...]:
    """Every revision that this version knows, newest first.

    By the names of their files: every process asks, and Alembic takes long to import.
    """
    files = (scripts() / "versions").glob("[0-9]*_*.py")
    return tuple(sorted((file.name.partition("_")[0] for file in files), reverse=True))


def revision_in(connection: Connection, version_table: str) -> str | None:
    """The revision that this table tells; None if there is none.

    Asked for with every look at a process's health. Alembic would make a table of its own each
    time, whose statements then fill the engine's cache and drive out those in use.
    """
    if not inspect(connection).has_table(version_table):
        return None
    found = select(column("version_num", String)).select_from(table(version_table))
    return connection.execute(found).scalar()


def _current(connection: Connection) -> str | None:
    return revision_in(connection, VERSION_TABLE)


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    # As Alembic has it.
    number = Column("version_num", String(32), primary_key=True)
    version = Table(VERSION_TABLE, MetaData(), number)
    version.create(connection)
    connection.execute(insert(version).values(version_num=head()))


def _upgrade(connection: Connection, revision: str) -> None:
    from alembic.config import Config  # noqa: PLC0415 - only where something is migrated

    from alembic import command  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
