"""Unique job functions that tests run, in this process and in others."""

import asyncio
from pathlib import Path

from framework_m import JobContext, JobStatus, Priority, Unique, job

WAITING = (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.RETRYING)


@job(unique=True, retries=1)
async def bill(invoice: int, currency: str = "EUR", fail: bool = False) -> str:
    if fail:
        raise ValueError(currency)
    return f"{invoice} {currency}"


@job(unique=Unique(by=("invoice",)))
async def remind(invoice: int, text: str) -> str:
    return text


@job(unique=Unique(by=(), states=WAITING))
async def reindex(gate: Path, log: Path) -> None:
    """While one runs another may wait, and only one."""
    with log.open("a") as file:
        file.write("started\n")
    while not gate.exists():  # noqa: ASYNC110 - other processes set no event here
        await asyncio.sleep(0.01)


@job(unique=Unique(period=3600))
async def greet(name: str) -> str:
    return name


@job(priority=Priority.LOW)
async def noted(ctx: JobContext, log: Path) -> None:
    with log.open("a") as file:
        file.write(f"{ctx.job_id}\n")


@job(unique=Unique(period=3600), http=True, roles=["Clerk"])
async def statement(ctx: JobContext, month: str) -> str:
    return f"{month} as {ctx.user.id if ctx.user else None} sees it"
