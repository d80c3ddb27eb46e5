"""The application's own routes."""

from dataclasses import dataclass

from litestar import get, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import JSONBody
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bookshop.background import background
from bookshop.jobs import send_receipt
from bookshop.models import Book, Order

Session = NamedDependency[AsyncSession]


@dataclass
class Wanted:
    """What somebody orders."""

    customer: str
    title: str
    copies: int = 1


@dataclass
class Placed:
    """An order, and the job that sends its receipt."""

    order: int
    receipt: str


@post("/orders")
async def place_order(data: JSONBody[Wanted], session: Session) -> Placed:
    """The order and its receipt's job are one transaction: the session's."""
    book = await session.get(Book, data.title)
    if book is None:
        raise NotFoundException(f"there is no book {data.title}")
    order = Order(customer=data.customer, title=data.title, copies=data.copies)
    session.add(order)
    await session.flush()
    async with background.transaction(session=session):
        receipt = await send_receipt.enqueue(order.id, data.customer)
    book.stock -= data.copies
    if book.stock < 0:  # found out late: the session rolls back, and there never was a job
        raise ClientException("there are not that many left", status_code=409)
    return Placed(order.id, receipt)


@get("/orders")
async def list_orders(session: Session) -> list[str]:
    orders = await session.scalars(select(Order).order_by(Order.id))
    return [f"{order.customer}: {order.copies} x {order.title}" for order in orders]
