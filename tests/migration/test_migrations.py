"""The schema: what the revisions make is what the tables say, on both databases."""

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

import framework_m.bootstrap  # noqa: F401 - loads the modules of all tables
from framework_m.adapters.db import migrations
from framework_m.adapters.db.engine import Database
from framework_m.adapters.db.schema import metadata
from framework_m.adapters.db.secrets import Cipher
from framework_m.adapters.db.tables import Tables
from framework_m.core.doctypes.built_in import BUILT_IN
from framework_m.core.doctypes.registry import DocTypeRegistry
from framework_m.core.errors import SchemaOutdatedError


def differences(connection: Connection) -> list[object]:
    options = {"version_table": migrations.VERSION_TABLE, "compare_type": True}
    context = MigrationContext.configure(connection, opts=options)
    # The built-in DocTypes' tables are what their classes say; alembic takes several MetaData.
    built_in = Tables(DocTypeRegistry(BUILT_IN), Cipher(())).metadata
    everything: Any = [metadata, built_in]
    return list(compare_metadata(context, everything))


@pytest.mark.parametrize("start", [None, *migrations.revisions()])
async def test_an_upgrade_from_any_revision_makes_the_tables_of_the_code(
    database: Database, start: str | None
) -> None:
    if start is not None:
        await migrations.upgrade(database, start)
    await migrations.upgrade(database)
    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
    await migrations.require_current(database)


async def test_an_empty_database_is_refused(database: Database) -> None:
    with pytest.raises(SchemaOutdatedError, match=r"has no schema yet.*run `m migrate`"):
        await migrations.require_current(database)


async def test_many_upgrades_at_once_take_turns(database: Database) -> None:
    await asyncio.gather(*(migrations.upgrade(database) for _ in range(4)))
    assert await migrations.current(database) == migrations.head()


def test_the_revisions_travel_in_the_wheel() -> None:
    assert (migrations.scripts() / "env.py").is_file()


async def test_asking_again_and_again_keeps_the_cache_of_statements(database: Database) -> None:
    """As whoever asks for a process's health does: what is in use must not be driven out."""
    await migrations.upgrade(database)
    await migrations.require_current(database)
    cached = database.engine.sync_engine._compiled_cache
    assert cached is not None
    before = len(cached)
    for _ in range(10):
        await migrations.require_current(database)
    assert len(cached) == before
