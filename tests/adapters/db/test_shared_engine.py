"""An engine that the application has already: used, and left to it."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m import FrameworkM, Settings
from framework_m.core.errors import ConfigurationError
from tests.support.harness import JOBS
from tests.support.jobs import add


async def test_its_connections_are_used_and_stay_open(postgres_database: str) -> None:
    engine = create_async_engine(postgres_database.replace("postgresql:", "postgresql+asyncpg:"))
    app = FrameworkM(JOBS, engine=engine)
    await app.migrate()
    async with app:
        assert app.ports.database.engine is engine
        async with app.worker():
            assert await (await add.enqueue(1)).result(20) == 2
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM job_log"))).scalar() == 1
    await engine.dispose()


async def test_on_sqlite_only_sessions_are_shared(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(ConfigurationError, match="on PostgreSQL only"):
        async with FrameworkM(JOBS, engine=engine):
            pass
    await engine.dispose()


async def test_a_schema_is_the_engines_own_to_choose() -> None:
    engine = create_async_engine("postgresql+asyncpg://user@127.0.0.1:1/none")
    settings = Settings.model_validate(
        {"database_url": "postgresql://user@127.0.0.1:1/none", "database_schema": "x"}
    )
    with pytest.raises(ConfigurationError, match="search_path"):
        async with FrameworkM(JOBS, settings=settings, engine=engine):
            pass
    await engine.dispose()
