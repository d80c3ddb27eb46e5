"""Job functions that use what their context offers."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from sqlalchemy import text
from taskiq import Context, TaskiqDepends

from framework_m import Discard, DocType, JobContext, job


class Parcels(DocType):
    title: str


def engine_id_of(context: Annotated[Context, TaskiqDepends()]) -> str:
    return context.message.task_id


def who_runs(ctx: Annotated[JobContext, TaskiqDepends()]) -> str:
    return ctx.job_id


async def slow_to_close(context: Annotated[Context, TaskiqDepends()]) -> AsyncIterator[None]:
    """Once the function has returned it says so, and is closed when the gate exists."""
    yield
    gate, log = (context.message.kwargs[name] for name in ("gate", "log"))
    log.write_text("closing\n")
    while not gate.exists():  # noqa: ASYNC110 - the signal comes from the test
        await asyncio.sleep(0.005)
    log.write_text("closing\nclosed\n")


@job(retries=0)
async def closes_slowly(
    gate: Path, log: Path, _open: Annotated[None, TaskiqDepends(slow_to_close)]
) -> str:
    return "done"


@job
async def with_dependencies(
    n: int,
    engine_id: Annotated[str, TaskiqDepends(engine_id_of)],
    job_id: str = TaskiqDepends(who_runs),
) -> list[str]:
    return [str(n), engine_id, job_id]


@job
async def tells_of_itself(ctx: JobContext) -> dict[str, str | None]:
    return {
        "job_id": ctx.job_id,
        "job_name": ctx.job_name,
        "queue": ctx.queue,
        "user": ctx.user_id,
        "roles": ",".join(sorted(ctx.user.roles)) if ctx.user else None,
        "parent": ctx.parent_id,
        "correlation": ctx.correlation_id,
        "trace": ctx.trace_context,
    }


@job
async def has_children(ctx: JobContext) -> list[str]:
    """One by each of the ways."""
    by_context = await ctx.enqueue(tells_of_itself)
    by_name = await ctx.enqueue("tells_of_itself")
    by_itself = await tells_of_itself.enqueue()
    async with ctx.transaction() as tx:
        in_transaction = await tx.enqueue(tells_of_itself)
    return [by_context, by_name, by_itself, in_transaction]


@job
async def keeps_customer(ctx: JobContext, title: str, fail: bool = False) -> str:
    """A document and a job in one transaction."""
    async with ctx.transaction():
        saved = await ctx.repository(Parcels).save(Parcels(title=title))
        await tells_of_itself.enqueue()
        if fail:
            raise Discard("after all not")
    return f"{saved.name} of {saved.owner}"


@job
async def writes_by_session(ctx: JobContext, titles: list[str], fail: bool = False) -> None:
    """Commits the first by itself; the rest at the end of the block, if it comes to that."""
    async with ctx.session() as session:
        for number, title in enumerate(titles):
            await session.execute(text("INSERT INTO plain_rows VALUES (:title)"), {"title": title})
            await ctx.enqueue("add", a=number)
            if number == 0:
                await session.commit()
        if fail:
            raise Discard("after all not")


@job
async def talks(ctx: JobContext, lines: int = 1) -> None:
    await ctx.progress(1, 2, "half")
    await ctx.log("from the context")
    logging.getLogger("shop.stock").warning("from %s", "logging")
    asyncio.get_running_loop().call_soon(logging.getLogger("shop").warning, "from a callback")
    await asyncio.sleep(0)
    for n in range(lines):
        ctx.log(f"line {n}")


@job
def talks_in_a_thread(ctx: JobContext) -> str:
    ctx.progress(50, message="half")
    ctx.log("from a thread")
    logging.getLogger("shop.stock").error("also from a thread")
    return threading.current_thread().name


@job
async def takes_document(parcel: Parcels) -> str:
    return f"{type(parcel).__name__} {parcel.title}"


@job
async def logs_strangely() -> None:
    logging.getLogger("shop\x00\udcff").warning("a\x00b \udcff")


@job
async def talks_and_waits(ctx: JobContext, gate: Path) -> None:
    ctx.log("waiting")
    while not gate.exists():  # noqa: ASYNC110 - the signal comes from the test
        await asyncio.sleep(0.005)
