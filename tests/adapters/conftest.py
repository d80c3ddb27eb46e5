"""A harness per backend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.harness import Harness
from tests.support.servers import PostgresServer


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


@pytest.fixture
async def postgresql(
    tmp_path: Path, postgres_server: PostgresServer, postgres_schema: str
) -> AsyncIterator[Harness]:
    settings = {"database_url": postgres_server.url, "database_schema": postgres_schema}
    async with Harness.opened(settings, tmp_path) as it:
        yield it


def _sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'test.db'}"
