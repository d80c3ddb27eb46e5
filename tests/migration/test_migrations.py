"""The schema: what the revisions make is what the tables say, on both databases."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, insert, select, table

import framework_m.bootstrap  # noqa: F401 - loads the modules of all tables
from framework_m.adapters.db import migrations
from framework_m.adapters.db.engine import Database
from framework_m.adapters.db.schema import UtcDateTime, job_tag, metadata
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


async def test_tags_of_jobs_that_are_there_are_carried_over(database: Database) -> None:
    await migrations.upgrade(database, "0008")
    moment = datetime(2026, 11, 25, 12, 30, 15, 250_000, tzinfo=UTC)
    tags = {f"job {n:04}": ["a", "a", f"b {n}"] if n % 2 else None for n in range(1_100)}
    tags["job 0001"] = ["a", "\x00", "\ud800"]
    async with database.begin() as connection:
        rows = [_old_job(name, moment, some) for name, some in tags.items()]
        await connection.execute(insert(_OLD_JOB_LOG), rows)
    await migrations.upgrade(database)
    found = await database.fetch(select(job_tag).order_by(job_tag.c.job_id, job_tag.c.tag))
    expected = [(f"job {n:04}", tag) for n in range(3, 1_100, 2) for tag in ("a", f"b {n}")]
    assert [(row.job_id, row.tag) for row in found[3:]] == expected
    assert {row.tag for row in found[:3]} == {"a", "\\x00", "\\ud800"}
    assert {row.enqueued_at for row in found} == {moment}


def _old_job(name: str, moment: datetime, tags: list[str] | None) -> dict[str, Any]:
    times = dict.fromkeys(("enqueued_at", "scheduled_at", "updated_at"), moment)
    numbers = dict.fromkeys(("attempt", "claim_no", "rescues"), 0)
    texts = {"job_name": "add", "queue": "default", "status": "Queued", "args": "{}"}
    kept = None if tags is None else json.dumps(tags)
    return {**times, **numbers, **texts, "name": name, "tags": kept, **_LIMITS}


_LIMITS = {"priority": 2, "max_attempts": 1}
_OLD_JOB_LOG = table(
    "job_log",
    *(
        column(name, UtcDateTime() if name.endswith("_at") else None)
        for name in _old_job("", datetime.now(UTC), None)
    ),
)


async def test_what_tests_make_at_once_is_what_the_revisions_make(database: Database) -> None:
    await migrations.create(database)
    async with database.begin() as connection:
        built_in = Tables(DocTypeRegistry(BUILT_IN), Cipher(())).metadata
        await connection.run_sync(built_in.create_all)
        assert await connection.run_sync(differences) == []
    await migrations.require_current(database)


async def test_an_empty_database_is_refused(database: Database) -> None:
    with pytest.raises(SchemaOutdatedError, match=r"has no schema yet.*run `m migrate`"):
        await migrations.require_current(database)


async def test_many_upgrades_at_once_take_turns(database: Database) -> None:
    await asyncio.gather(*(migrations.upgrade(database) for _ in range(4)))
    assert await migrations.current(database) == migrations.head()


def test_the_revisions_are_those_that_alembic_finds() -> None:
    found = ScriptDirectory(str(migrations.scripts()))
    assert migrations.head() == found.get_current_head()
    assert migrations.revisions() == tuple(script.revision for script in found.walk_revisions())


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
