"""An application with DocTypes on a fresh database of each kind, its tables made."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from framework_m import FrameworkM, Settings
from tests.support.harness import JOBS
from tests.support.schema import Schemas, make_schema
from tests.support.servers import PostgresServer

MODULES = ("tests.support.documents", *JOBS)


async def prepared(app: FrameworkM) -> AsyncIterator[FrameworkM]:
    """The application, open, with a table for each of its DocTypes."""
    await make_schema(app)
    async with app:
        yield app


def application(url: str, **settings: object) -> FrameworkM:
    values = {"database_url": url, "secret_key": "only for tests, but long", **settings}
    return FrameworkM(MODULES, settings=Settings.model_validate(values))


@pytest.fixture
async def sqlite_app(tmp_path: Path) -> AsyncIterator[FrameworkM]:
    async for app in prepared(application(f"sqlite:///{tmp_path / 'test.db'}")):
        yield app


@pytest.fixture
async def postgresql_app(
    postgres_server: PostgresServer, schemas: Schemas
) -> AsyncIterator[FrameworkM]:
    async with schemas.lent(MODULES) as schema:
        async for app in prepared(application(postgres_server.url, database_schema=schema)):
            yield app


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest) -> FrameworkM:
    """One on each kind of database."""
    found: FrameworkM = request.getfixturevalue(f"{request.param}_app")
    return found
