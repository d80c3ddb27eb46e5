"""The shop's own tests: `pytest` in this folder. No server runs."""

from collections.abc import AsyncIterator

import httpx
import pytest
from bookshop.app import create_app
from bookshop.background import background
from bookshop.jobs import send_receipt
from bookshop.models import Base, Book
from sqlalchemy.ext.asyncio import AsyncSession

from framework_m import FrameworkM
from framework_m.testing import Kit

Shop = httpx.AsyncClient


@pytest.fixture
def framework_m_app() -> FrameworkM:
    return background


@pytest.fixture
async def shop(kit: Kit) -> AsyncIterator[Shop]:
    """The shop, its tables in the kit's database, with two copies of one book."""
    async with kit.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(kit.engine) as session, session.begin():
        session.add(Book(title="Emma", stock=2))
    transport = httpx.ASGITransport(create_app(kit.engine))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        yield client


async def test_an_order_has_its_receipt_sent(kit: Kit, shop: Shop) -> None:
    placed = (await shop.post("/orders", json={"customer": "Ada", "title": "Emma"})).json()
    await kit.assert_enqueued(send_receipt, {"order": placed["order"], "customer": "Ada"})
    [sent] = await kit.drain()
    assert sent.job_id == placed["receipt"]
    assert sent.result == f"receipt for order {placed['order']} sent to Ada"


async def test_what_cannot_be_delivered_has_no_receipt(kit: Kit, shop: Shop) -> None:
    order = {"customer": "Ada", "title": "Emma", "copies": 3}
    assert (await shop.post("/orders", json=order)).status_code == 409
    assert (await shop.get("/orders")).json() == []
    await kit.assert_enqueued(send_receipt, times=0)


@pytest.mark.framework_m(inline=True)
async def test_a_receipt_is_its_owners_to_see(kit: Kit, shop: Shop) -> None:
    placed = (await shop.post("/orders", json={"customer": "Bo", "title": "Emma"})).json()
    answer = await shop.get(f"/background/api/v1/jobs/{placed['receipt']}")
    assert answer.status_code == 401
    [receipt] = await kit.enqueued(send_receipt)
    assert receipt.status == "Success"
