"""The public names as a type checker sees them: `mypy --strict` reads this too."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, assert_type

from framework_m import (
    DocType,
    Field,
    FrameworkM,
    JobContext,
    JobHandle,
    JobLog,
    Link,
    Page,
    job,
    where,
)


class Customer(DocType):
    title: str


class Invoice(DocType):
    customer: Link[Customer]
    total: Decimal = Field(ge=0)


@job
async def bare(ctx: JobContext, month: str) -> dict[str, int]:
    return {month: ctx.attempt}


@job(queue="reports", retries=1)
async def with_options(month: str, rate: Decimal = Decimal(1)) -> Decimal:
    return rate


@job
def plain(n: int) -> str:
    return str(n)


async def use(app: FrameworkM) -> None:
    """What users write; never run."""
    invoice = Invoice(customer="Ada", total=Decimal(1))
    async with app.transaction() as tx:
        repository = tx.repository(Invoice)
        assert_type(await repository.get("INV-1"), Invoice)
        assert_type(await repository.save(invoice), Invoice)
        assert_type(await repository.get_many(["INV-1"]), dict[str, Invoice])
        assert_type(await repository.list(where("total").ge(1)), Page[Invoice])
        async for found in repository.iterate():
            assert_type(found, Invoice)
    assert_type(await app.repository(Customer).get("Ada"), Customer)

    assert_type(await bare.enqueue("2026-11"), JobHandle[dict[str, int]])
    assert_type(await bare.enqueue(month="2026-11"), JobHandle[dict[str, int]])
    assert_type(await (await with_options.enqueue("2026-11")).result(), Decimal)
    assert_type(await (await plain.enqueue(n=1)).result(timeout=5), str)
    assert_type(await app.jobs.get("id"), JobLog | None)
    assert_type(await app.jobs.list(limit=1), Sequence[JobLog])

    await bare.enqueue(1)  # type: ignore[arg-type]
    await bare.enqueue()  # type: ignore[call-arg]
    await with_options.enqueue("2026-11", nope=1)  # type: ignore[call-arg]


def test_a_type_checker_and_the_interpreter_see_the_same() -> None:
    assert not TYPE_CHECKING
    assert assert_type(Invoice(customer="Ada", total=Decimal(1)).total, Decimal) == 1
