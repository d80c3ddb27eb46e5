"""The example of an application that was there before: one transaction, whoever ends it."""

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bookshop.app import create_app
from bookshop.models import Base, Book
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from framework_m import FrameworkM, Settings, User
from tests.support.callers import ADMIN, bearer

JOBS = "/background/api/v1/jobs"
SHOP = User("shop", frozenset({"Shop"}))
SHOP_URL = "http://shop.example"
Client = httpx.AsyncClient


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"
    database: str = request.getfixturevalue("postgres_database")
    return database


@pytest.fixture
async def background(url: str, monkeypatch: pytest.MonkeyPatch) -> FrameworkM:
    from bookshop import orders

    found = FrameworkM(["bookshop.jobs"], settings=Settings.model_validate({"database_url": url}))
    monkeypatch.setattr(orders, "background", found)
    return found


@contextlib.asynccontextmanager
async def opened(background: FrameworkM) -> AsyncIterator[Client]:
    """The shop, running. No fixture: its lifespan ends in the task that it began in."""
    engine = create_async_engine(background.settings.database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session, session.begin():
        session.add(Book(title="On Types", stock=3))
    shop = create_app(engine, background)
    transport = httpx.ASGITransport(
        shop,  # type: ignore[arg-type]  # Litestar types its messages more closely
        raise_app_exceptions=False,
    )
    async with shop.lifespan(), httpx.AsyncClient(transport=transport, base_url=SHOP_URL) as client:
        yield client


async def jobs(client: Client, background: FrameworkM) -> list[dict[str, Any]]:
    answer = await client.get(JOBS, headers=await bearer(background, ADMIN))
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_an_order_and_its_receipt_are_one(background: FrameworkM) -> None:
    async with opened(background) as client:
        placed = await client.post("/orders", json={"customer": "ada", "title": "On Types"})
        assert placed.status_code == 201, placed.text
        [job] = await jobs(client, background)
        assert job["job_id"] == placed.json()["receipt"]
        async with background.worker():
            result = await background.jobs.handle(job["job_id"]).result(20)
        assert result == f"receipt for order {placed.json()['order']} sent to ada"


async def test_a_rollback_leaves_no_job(background: FrameworkM) -> None:
    async with opened(background) as client:
        body = {"customer": "ada", "title": "On Types", "copies": 4}
        refused = await client.post("/orders", json=body)
        assert refused.status_code == 409
        assert refused.json() == {"status_code": 409, "detail": "there are not that many left"}
        assert (await client.get("/orders")).json() == []
        assert await jobs(client, background) == []


async def test_the_plugin_keeps_to_its_prefix(background: FrameworkM) -> None:
    async with opened(background) as client:
        assert (await client.get("/background/health/ready")).status_code == 200
        assert (await client.get(JOBS)).status_code == 401
        assert (await client.get("/orders")).status_code == 200, "needs no token of ours"
        for path in ("/api/v1/jobs", "/health/live", "/nothing"):
            missing = await client.get(path)
            assert missing.status_code == 404
            assert missing.headers["content-type"] == "application/json", "as the shop has errors"
        document = (await client.get("/schema/openapi.json")).json()
        assert {"/orders", JOBS} <= document["paths"].keys()
        assert "bearer" in document["components"]["securitySchemes"]


async def test_locations_are_below_the_prefix(background: FrameworkM) -> None:
    async with opened(background) as client:
        headers = await bearer(background, SHOP)
        body = {"job_name": "send_receipt", "args": {"order": 1, "customer": "bob"}}
        accepted = await client.post(JOBS, json=body, headers=headers)
        assert accepted.status_code == 202, accepted.text
        location = accepted.headers["location"]
        assert location.startswith(f"{JOBS}/")
        assert (await client.get(location, headers=headers)).json()["user_id"] == "shop"


@pytest.mark.parametrize("example", ["codestats", "existing_app"])
def test_its_own_tests_pass(example: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=Path(__file__).parents[2] / "examples" / example,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr
