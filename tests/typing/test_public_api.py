"""The public names as a type checker sees them: `mypy --strict` reads this too."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, assert_type

from sqlalchemy.ext.asyncio import AsyncSession

from framework_m import (
    DocType,
    Field,
    FrameworkM,
    JobContext,
    JobHandle,
    JobLog,
    Link,
    Page,
    Transaction,
    User,
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
async def parent(ctx: JobContext) -> None:
    assert_type(await ctx.enqueue(bare, "2026-11"), JobHandle[dict[str, int]])
    assert_type(ctx.user, User | None)
    async with ctx.transaction() as tx, ctx.session() as session:
        assert_type(tx, Transaction)
        assert_type(session, AsyncSession)
        assert_type(await tx.enqueue(plain, 1), JobHandle[str])
        assert_type(await tx.enqueue_many([plain.call(1)]), Sequence[JobHandle[str]])
        await tx.enqueue(plain, "one")  # type: ignore[call-overload]
    assert_type(await ctx.repository(Invoice).get("INV-1"), Invoice)
    await ctx.progress(1, total=2)
    await ctx.log("half")


@job
def plain(n: int) -> str:
    return str(n)


@job(executor="process", timeout=5)
def elsewhere(ctx: JobContext, n: int) -> str:
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

    assert_type(await bare.options(delay=5).enqueue("2026-11"), JobHandle[dict[str, int]])
    assert_type(await bare.kiq(month="2026-11"), JobHandle[dict[str, int]])
    many = await plain.enqueue_many([plain.call(1), plain.options(tags=["a"]).call(n=2)])
    assert_type(many, Sequence[JobHandle[str]])
    assert_type(await app.jobs.enqueue(plain, 1), JobHandle[str])

    assert_type(await elsewhere.enqueue(1), JobHandle[str])
    await elsewhere.enqueue("one")  # type: ignore[arg-type]
    job(executor="fiber")  # type: ignore[call-overload]
    await bare.enqueue(1)  # type: ignore[arg-type]
    await bare.options(delay=5).enqueue(1)  # type: ignore[arg-type]
    await plain.enqueue_many([plain.call("one")])  # type: ignore[arg-type]
    await plain.enqueue_many([bare.call("2026-11")])  # type: ignore[list-item]
    await app.jobs.enqueue(plain, "one")  # type: ignore[call-overload]
    bare.options(delays=5)  # type: ignore[call-arg]
    await bare.enqueue()  # type: ignore[call-arg]
    await with_options.enqueue("2026-11", nope=1)  # type: ignore[call-arg]


def test_a_type_checker_and_the_interpreter_see_the_same() -> None:
    assert not TYPE_CHECKING
    assert assert_type(Invoice(customer="Ada", total=Decimal(1)).total, Decimal) == 1
