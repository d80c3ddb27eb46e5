"""Fixtures of ours, for every test: databases, and a harness per backend."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from framework_m.adapters.db.engine import Database
from tests.support.harness import JOBS, Harness
from tests.support.schema import Schemas
from tests.support.servers import NatsServer, PostgresServer


@pytest.fixture
async def memory(tmp_path: Path) -> AsyncIterator[Harness]:
    async with Harness.opened(
        {"database_url": _sqlite(tmp_path), "backend": "memory"}, tmp_path
    ) as it:
        yield it


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Harness]:
    async with Harness.opened({"database_url": _sqlite(tmp_path)}, tmp_path) as it:
        yield it


@pytest.fixture(scope="session")
def schemas(postgres_server: PostgresServer) -> Iterator[Schemas]:
    """Those of the session's PostgreSQL that one test after the other has."""
    schemas = Schemas(postgres_server)
    yield schemas
    asyncio.run(schemas.drop())


@pytest.fixture
async def jobs_schema(schemas: Schemas) -> AsyncIterator[str]:
    """For a harness; without tables where there was none yet."""
    async with schemas.lent(JOBS) as schema:
        yield schema


@pytest.fixture
async def postgresql(
    tmp_path: Path, postgres_server: PostgresServer, jobs_schema: str
) -> AsyncIterator[Harness]:
    settings = {"database_url": postgres_server.url, "database_schema": jobs_schema}
    async with Harness.opened(settings, tmp_path) as it:
        yield it


@pytest.fixture
async def nats_sqlite(
    tmp_path: Path, nats_server: NatsServer, nats_prefix: str
) -> AsyncIterator[Harness]:
    settings = {
        "database_url": _sqlite(tmp_path),
        "nats_url": nats_server.url,
        "nats_prefix": nats_prefix,
        "sweep_interval": 0.1,  # a retry waits for its sweep
    }
    async with Harness.opened(settings, tmp_path) as it:
        yield it


@pytest.fixture
async def nats_postgresql(
    tmp_path: Path,
    nats_server: NatsServer,
    nats_prefix: str,
    postgres_server: PostgresServer,
    jobs_schema: str,
) -> AsyncIterator[Harness]:
    settings = {
        "database_url": postgres_server.url,
        "database_schema": jobs_schema,
        "nats_url": nats_server.url,
        "nats_prefix": nats_prefix,
        "sweep_interval": 0.1,
    }
    async with Harness.opened(settings, tmp_path) as it:
        yield it


@pytest.fixture(params=["memory", "sqlite", "postgresql", "nats_sqlite", "nats_postgresql"])
def every_backend(request: pytest.FixtureRequest) -> Harness:
    """A harness on each of them in turn."""
    found: Harness = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["sqlite", "postgresql", "nats_sqlite", "nats_postgresql"])
def every_store(request: pytest.FixtureRequest) -> Harness:
    """Without `memory`: it has the rows, the bus and the scheduler of `sqlite`."""
    found: Harness = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def sqlite_database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
    yield database
    await database.close()


@pytest.fixture
async def postgresql_database(
    postgres_server: PostgresServer, postgres_schema: str
) -> AsyncIterator[Database]:
    database = Database(postgres_server.url, schema=postgres_schema)
    yield database
    await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database of each kind."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


def _sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'test.db'}"
