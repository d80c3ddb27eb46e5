"""Job functions that tests run, in this process and in others."""

import asyncio
import os
import random
import signal
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel

from framework_m import (
    Backoff,
    BaseEvent,
    Cancel,
    Discard,
    JobContext,
    Retry,
    Snooze,
    Unique,
    job,
)
from framework_m.core.ids import uuid7


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


class Address(BaseModel):
    street: str
    since: datetime


@job(http=True, roles=["Clerk"])
async def add(a: int, b: int = 1) -> int:
    return a + b


@job
async def describe_types(
    amount: Decimal,
    moment: datetime,
    key: UUID,
    colour: Colour,
    point: Point,
    address: Address,
    raw: bytes,
    ratio: float,
) -> list[str]:
    values = (amount, moment, key, colour, point, address, raw, ratio)
    return [f"{type(value).__name__}={value!r}" for value in values]


@job(retries=0, http=True)
async def boom(message: str = "no luck") -> None:
    raise ValueError(message)


@job(retries=0)
async def unprintable() -> None:
    raise ValueError("bad \x00 \udcff")


@job(retries=3)
async def fails_at_first(ctx: JobContext, times: int) -> int:
    if ctx.attempt <= times:
        raise RuntimeError(f"attempt {ctx.attempt}")
    return ctx.attempt


@job(retries=1, backoff=Backoff(min=3600, max=3600))
async def asks_to_be_retried(ctx: JobContext, after: float | None) -> int:
    if ctx.attempt == 1 or after is None:
        raise Retry(after=after)
    return ctx.attempt


@job(retries=0)
async def snoozes(log: Path, times: int) -> str:
    """Postpones itself until it has run more often than that."""
    _append(log, "run")
    if len(log.read_text().split()) <= times:
        raise Snooze(after=0.05)
    return "done"


@job
async def cancels_itself() -> None:
    raise Cancel("not needed any more")


@job
async def discards_itself() -> None:
    raise Discard("no such customer")


@job(retry_on=OSError, discard_on=FileNotFoundError, backoff=Backoff(min=0, max=0))
async def fails_by_kind(ctx: JobContext, kind: str) -> None:
    raise {"passing": ConnectionError, "lasting": FileNotFoundError, "other": ValueError}[kind](
        kind
    )


@job(retries=0, timeout=0.05)
async def too_slow() -> None:
    await asyncio.Event().wait()


@job(retries=0)
async def own_timeout() -> None:
    raise TimeoutError("of a server")


@job(retries=0)
async def unstorable() -> object:
    return object()


@job
def plain(text: str) -> str:
    return text.upper()


@job(http=True)
async def wait_for(ctx: JobContext, gate: Path, log: Path) -> int:
    """Say in the log that it runs, then wait until the gate exists."""
    _append(log, ctx.job_id)
    while not gate.exists():  # noqa: ASYNC110 - the signal comes from another process
        await asyncio.sleep(0.005)
    return ctx.attempt


@job
async def block_for(ctx: JobContext, seconds: float, log: Path) -> None:
    """Hold up the event loop, as careless code does."""
    _append(log, ctx.job_id)
    time.sleep(seconds)  # noqa: ASYNC251 - the point of it


@job
async def wait_long(ctx: JobContext, seconds: float, log: Path) -> None:
    """Wait as a job does that waits for a slow server."""
    _append(log, ctx.job_id)
    await asyncio.sleep(seconds)


@job(retries=0)
async def short_nap(ctx: JobContext, log: Path) -> None:
    _append(log, ctx.job_id)
    await asyncio.sleep(random.uniform(0.005, 0.05))


@job(retries=0)
async def traced_nap(ctx: JobContext, log: Path) -> str:
    """Its result tells which of its runs it is from."""
    run = uuid7()
    _append(log, f"{ctx.job_id}:{run}")
    await asyncio.sleep(random.uniform(0.005, 0.05))
    return run


@job
def sleep_in_thread(seconds: float, log: Path) -> None:
    _append(log, "asleep")
    time.sleep(seconds)


@job(queue="other")
async def on_another_queue() -> str:
    return "done"


@job
async def count_to(ctx: JobContext, total: int) -> None:
    for n in range(total + 1):
        await ctx.progress(n, total=total, message=f"{n} of {total}")


@job
async def says(ctx: JobContext, percent: float, message: str) -> None:
    await ctx.progress(percent, message=message)


@dataclass
class Parcel:
    weight: Decimal


@job(retries=1, backoff=Backoff(min=0, max=0))
async def fails_differently(ctx: JobContext) -> None:
    raise (ValueError if ctx.attempt == 1 else KeyError)(f"attempt {ctx.attempt}")


@job(name="measured", retries=2, backoff=lambda attempt, error: attempt / 100)
async def own_backoff(ctx: JobContext) -> int:
    if ctx.attempt < 3:
        raise RuntimeError
    return ctx.attempt


@job
async def weighs(parcel: Parcel, big: str = "") -> str:
    return f"{parcel.weight} {len(big)}"


@job
async def repeats(text: str) -> str:
    return text * 2


@job
async def kills_its_worker(ctx: JobContext, log: Path) -> None:
    _append(log, ctx.job_id)
    os.kill(os.getpid(), signal.SIGKILL)


@job
async def publishes(ctx: JobContext, n: int) -> None:
    await ctx.publish(BaseEvent(event_type="test.from_job", data={"n": n}))


@job
async def note(log: Path, word: str) -> None:
    _append(log, word)


def _append(log: Path, word: str) -> None:
    with log.open("a") as file:
        file.write(f"{word}\n")


@job(retries=0)
def until_cancelled(ctx: JobContext, log: Path) -> None:
    """In a thread: it goes on until it is told, and says so."""
    _append(log, "started")
    try:
        while True:
            ctx.check_cancelled()
            time.sleep(0.01)
    except Cancel:
        _append(log, "noticed")
        raise


@job(retries=0)
async def says_when_it_is_cancelled(log: Path) -> None:
    _append(log, "started")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        _append(log, "cancelled")
        raise


@job(retries=0)
async def counts_aloud(ctx: JobContext, times: int) -> None:
    for n in range(times):
        await ctx.log(str(n))


@job
async def tells_its_schedule(ctx: JobContext, log: Path) -> list[str | None]:
    _append(log, ctx.job_id)
    return [ctx.schedule, None if ctx.due_at is None else ctx.due_at.isoformat()]


@job(unique=Unique(by=()))
async def once_at_a_time() -> None:
    """While one waits or runs there is no other."""


def _looked_up(key: str) -> str:
    if key == "unknown":
        raise LookupError("no such key")
    return key


@job
async def takes_a_key(key: Annotated[str, AfterValidator(_looked_up)]) -> str:
    """The check of its argument raises what pydantic does not catch."""
    return key
