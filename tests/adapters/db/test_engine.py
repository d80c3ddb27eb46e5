"""Transactions on both databases, and what their absence looks like."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from framework_m.adapters.db import sqlite
from framework_m.adapters.db.engine import Database, safe_url
from framework_m.core.errors import DatabaseUnavailableError
from framework_m.settings import normalized_database_url
from tests.support.servers import PostgresServerFactory


@pytest.fixture
async def counter(database: Database) -> Database:
    await create_counter(database)
    return database


async def create_counter(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("CREATE TABLE counter (n INTEGER NOT NULL)"))
        await connection.execute(text("INSERT INTO counter VALUES (0)"))


async def count(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(text("SELECT n FROM counter"))).scalar_one())


async def test_an_error_rolls_back(counter: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with counter.begin() as connection:
            await connection.execute(text("UPDATE counter SET n = 1"))
            raise ZeroDivisionError
    assert await count(counter) == 0


async def test_concurrent_read_and_write_transactions_lose_nothing_on_sqlite(
    tmp_path: Path,
) -> None:
    """SQLAlchemy's default transactions lost 14 of 15 such increments without an error."""
    databases = [Database(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}") for _ in range(3)]
    await create_counter(databases[0])

    async def increment(database: Database) -> None:
        async with database.begin() as connection:
            read = (await connection.execute(text("SELECT n FROM counter"))).scalar_one()
            await connection.execute(text("UPDATE counter SET n = :n"), {"n": read + 1})

    await asyncio.gather(*(increment(database) for database in databases * 10))
    assert await count(databases[0]) == 30
    for database in databases:
        await database.close()


async def test_readers_do_not_wait_for_a_writer(counter: Database) -> None:
    async with counter.begin() as connection:
        await connection.execute(text("UPDATE counter SET n = 1"))
        assert await count(counter) == 0
    assert await count(counter) == 1


async def test_a_database_that_is_away_is_an_error_of_ours(
    postgres_server_factory: PostgresServerFactory,
) -> None:
    server = postgres_server_factory()
    database = Database(server.url)
    await database.ping()
    server.kill()
    with pytest.raises(DatabaseUnavailableError, match="the database is not available"):
        await database.ping()
    with pytest.raises(DatabaseUnavailableError):
        async with database.begin() as connection:
            await connection.execute(text("SELECT 1"))
    server.start()
    await _answers(database)
    await database.close()


async def _answers(database: Database) -> None:
    """A pooled connection that died with the server is found out by its first use."""
    while True:
        try:
            return await database.ping()
        except DatabaseUnavailableError:
            await asyncio.sleep(0)


async def test_a_file_that_is_no_database_is_an_error_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "not.db"
    file.write_bytes(b"this is no database" * 100)
    database = Database(f"sqlite+aiosqlite:///{file}")
    with pytest.raises(DatabaseUnavailableError, match="not a database"):
        await database.ping()
    await database.close()


async def test_a_folder_that_does_not_exist_is_an_error_of_ours(tmp_path: Path) -> None:
    database = Database(normalized_database_url(f"sqlite:///{tmp_path}/none/test.db"))
    with pytest.raises(DatabaseUnavailableError, match="unable to open database file"):
        await database.ping()
    await database.close()


def test_a_url_is_shown_without_its_password() -> None:
    assert safe_url("postgresql+asyncpg://u:secret@h/db") == "postgresql+asyncpg://u:***@h/db"


async def test_a_lock_that_another_process_keeps_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.05)
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
    await create_counter(database)
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailableError, match="locked"):
        async with database.begin():
            pytest.fail("the lock was not ours")
    assert await count(database) == 0, "reading goes on"
    other.close()
    async with database.begin() as connection:
        await connection.execute(text("UPDATE counter SET n = 1"))
    await database.close()
