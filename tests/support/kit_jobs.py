"""An application that is tested with the kit."""

from decimal import Decimal

from framework_m import (
    Backoff,
    BaseEvent,
    DocType,
    FrameworkM,
    JobContext,
    Rate,
    Unique,
    job,
    on,
)
from framework_m.testing import Kit

ran: list[str] = []
kits: list[Kit] = []
"""The kits that `drain_again` uses."""


class Bill(DocType):
    """Something to pay."""

    customer: str
    total: Decimal


@job(queue="mail", retries=2, backoff=Backoff(min=60, max=60))
async def send_bill(ctx: JobContext, number: int, total: Decimal = Decimal(0)) -> int:
    ran.append(f"send {number}")
    if number < 0:
        raise ValueError("no such bill")
    await book.enqueue(number)
    return number


@job(http=True)
def book(number: int) -> str:
    ran.append(f"book {number}")
    return f"{number} is booked"


@job(unique=Unique(period=3600))
async def remind(customer: str) -> None:
    ran.append(f"remind {customer}")


@job
async def bill_everyone(ctx: JobContext, numbers: list[int]) -> None:
    for number in numbers:
        await send_bill.enqueue(number)


@job(limits=[Rate(1, per=60)])
async def call_customer(customer: str) -> None:
    ran.append(f"call {customer}")


@job(retries=0)
async def drain_again() -> None:
    await kits[-1].drain()


@on("doc.created", doctype=Bill, group="billing")
async def bill_created(event: BaseEvent) -> None:
    ran.append(f"created at {event.timestamp:%Y}")
    await remind.enqueue("Ada")


app = FrameworkM(modules=["tests.support.kit_jobs"])
