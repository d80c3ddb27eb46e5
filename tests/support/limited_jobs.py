"""Job functions with limits, that tests run in this process and in others."""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

from framework_m import Concurrency, JobContext, Rate, Unique, job

at_once: Counter[str] = Counter()
most_at_once: Counter[str] = Counter()
"""How many ran at once in this process, by what they count."""


async def _held(counts: str, gate: Path, log: Path, line: str) -> None:
    """Count in, say so in the log, and wait until the gate exists."""
    at_once[counts] += 1
    most_at_once[counts] = max(most_at_once[counts], at_once[counts])
    try:
        with log.open("a") as file:
            file.write(f"{line}\n")
        while not gate.exists():  # noqa: ASYNC110 - other processes set no event here
            await asyncio.sleep(0.01)
    finally:
        at_once[counts] -= 1


@job(limits=[Concurrency(2)])
async def two_at_once(ctx: JobContext, gate: Path, log: Path) -> None:
    await _held(f"two {log}", gate, log, ctx.job_id)


@job(limits=[Concurrency(1)])
async def one_at_once(ctx: JobContext, gate: Path, log: Path) -> None:
    await _held(f"one {log}", gate, log, ctx.job_id)


@job(limits=[Concurrency(2), Concurrency(1, key="customer")])
async def one_per_customer(customer: str, gate: Path, log: Path) -> None:
    await _held(f"{customer} {log}", gate, log, customer)


@job(limits=[Rate(20, per=1, burst=1)])
async def spaced(number: int) -> int:
    return number


@job(limits=[Rate(1, per=86_400)])
async def daily(number: int) -> int:
    """A day's distance, which no test takes so long to pass."""
    return number


@job(limits=[Concurrency(1, key="customer"), Rate(1, per=3600)])
async def rated_by_customer(customer: str) -> str:
    return customer


@job(limits=[Rate(1, per=3600, key="host")], retries=0)
async def once_an_hour(host: str = "localhost") -> str:
    return host


@job(limits=[Concurrency(1)], retries=0)
async def fails_alone() -> None:
    raise ValueError("no luck")


@job(unique=Unique(period=3600), limits=[Concurrency(1)])
async def once_each(number: int) -> int:
    return number


@job
async def free(number: int) -> int:
    return number


@job(limits=[Concurrency(2, key="key")])
async def told_by_key(key: str, log: Path) -> None:
    """Say in the log when it starts and when it ends, on the clock that all processes share."""
    run = f"{os.getpid()}.{time.monotonic()}"
    _say(log, f"start {key} {run} {time.monotonic()}")
    await asyncio.sleep(0.01)
    _say(log, f"end {key} {run} {time.monotonic()}")


def _say(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(f"{line}\n")
