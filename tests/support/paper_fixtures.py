"""An application whose DocTypes have permissions, on a fresh database of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from framework_m import FrameworkM, Settings
from tests.support.document_fixtures import prepared
from tests.support.harness import JOBS
from tests.support.schema import Schemas
from tests.support.servers import PostgresServer

MODULES = ("tests.support.papers", *JOBS)
SECRET_KEY = "only for tests, but long"


def application(url: str, **settings: object) -> FrameworkM:
    values = {"database_url": url, "secret_key": SECRET_KEY, **settings}
    return FrameworkM(MODULES, settings=Settings.model_validate(values))


@pytest.fixture
async def sqlite_papers(tmp_path: Path) -> AsyncIterator[FrameworkM]:
    async for app in prepared(application(f"sqlite:///{tmp_path / 'papers.db'}")):
        yield app


@pytest.fixture
async def postgresql_papers(
    postgres_server: PostgresServer, schemas: Schemas
) -> AsyncIterator[FrameworkM]:
    async with schemas.lent(MODULES) as schema:
        async for app in prepared(application(postgres_server.url, database_schema=schema)):
            yield app


@pytest.fixture(params=["sqlite", "postgresql"])
def papers(request: pytest.FixtureRequest) -> FrameworkM:
    """One on each kind of database."""
    found: FrameworkM = request.getfixturevalue(f"{request.param}_papers")
    return found
