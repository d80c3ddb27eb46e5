"""Jobs and handlers that lead to more work, for a worker that ends when there is none."""

import asyncio
from pathlib import Path

from framework_m import Backoff, BaseEvent, Concurrency, EventContext, JobContext, Rate, job, on


def later(_attempt: int, _error: BaseException) -> float:
    return 3600.0


@job
async def adds(a: int, b: int = 1) -> int:
    return a + b


@job(queue="other")
async def elsewhere() -> str:
    return "done"


@job
async def waits_for(gate: Path, log: Path) -> None:
    log.write_text("begun\n")
    while not gate.exists():  # noqa: ASYNC110 - the test makes it
        await asyncio.sleep(0.005)


@job
async def leads_to(ctx: JobContext, more: int) -> int:
    """Enqueues another like it, until there are no more."""
    if more:
        await ctx.enqueue(leads_to, more=more - 1)
    return more


@job(limits=[Concurrency(1)])
async def one_by_one(number: int) -> int:
    await asyncio.sleep(0)
    return number


@job(limits=[Rate(1, per=3600)])
async def rarely(number: int) -> int:
    return number


@job(retries=1, backoff=Backoff(min=0, max=0))
async def succeeds_at_the_second(ctx: JobContext) -> int:
    if ctx.attempt == 1:
        raise RuntimeError("not yet")
    return ctx.attempt


@job(retries=1, backoff=later)
async def tries_again_later() -> None:
    raise RuntimeError("not now")


@job
async def tells(ctx: JobContext, hops: int) -> None:
    await ctx.publish(BaseEvent(event_type="burst.told", data={"hops": hops}))


@on("burst.told", group="burst")
async def answers(ctx: EventContext, event: BaseEvent) -> None:
    """By a job that tells again, while there are hops to go."""
    if event.data["hops"]:
        await ctx.enqueue(tells, hops=event.data["hops"] - 1)


@on("burst.ordered", group="burst", ordered=True)
async def answers_in_order(ctx: EventContext, event: BaseEvent) -> None:
    await ctx.enqueue(leads_to, more=0)


@on("burst.refused", group="burst", backoff=later)
async def refuses(event: BaseEvent) -> None:
    raise RuntimeError("not now")


@on("burst.refused", group="burst", ordered=True, backoff=later)
async def refuses_in_order(event: BaseEvent) -> None:
    raise RuntimeError("not now")
