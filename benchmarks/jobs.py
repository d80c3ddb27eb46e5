"""Jobs per second: enqueued one by one, enqueued by many at once, and run by one worker."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from framework_m import FrameworkM, JobStatus, Settings, job
from tests.support import servers

S = TypeVar("S", bound=servers.Server)

ONE_BY_ONE = 500
AT_ONCE = 100
TO_RUN = 2_000


@job
async def no_op(n: int) -> None:
    """Costs nothing: what is measured is the way to it and back."""


async def main() -> None:
    print(f"{'backend':<18} {'one by one':>12} {f'{AT_ONCE} at once':>12} {'run':>12}   jobs/s")
    for name, address in _addresses():
        with address() as settings:
            async with _application(settings) as app:
                one_by_one = await _one_by_one()
                at_once = await _at_once()
                ran = await _run(app)
        print(f"{name:<18} {one_by_one:>12,.0f} {at_once:>12,.0f} {ran:>12,.0f}")


async def _one_by_one() -> float:
    started = time.perf_counter()
    for n in range(ONE_BY_ONE):
        await no_op.enqueue(n)
    return ONE_BY_ONE / (time.perf_counter() - started)


async def _at_once() -> float:
    async def caller(share: int) -> None:
        for n in range(share):
            await no_op.enqueue(n)

    share = TO_RUN // AT_ONCE
    started = time.perf_counter()
    await asyncio.gather(*(caller(share) for _ in range(AT_ONCE)))
    return TO_RUN / (time.perf_counter() - started)


async def _run(app: FrameworkM) -> float:
    """Everything enqueued so far, by one worker in this process."""
    started = time.perf_counter()
    async with app.worker():
        for status in (JobStatus.QUEUED, JobStatus.RUNNING):
            while await app.jobs.list(status=status, limit=1):  # noqa: ASYNC110 - no event says so
                await asyncio.sleep(0.01)
    return (ONE_BY_ONE + TO_RUN) / (time.perf_counter() - started)


@contextlib.asynccontextmanager
async def _application(settings: Settings) -> AsyncIterator[FrameworkM]:
    app = FrameworkM([__name__], settings=settings)
    await app.migrate()
    async with app:
        yield app


Address = Callable[[], contextlib.AbstractContextManager[Settings]]


def _addresses() -> list[tuple[str, Address]]:
    return [
        ("SQLite", sqlite),
        ("PostgreSQL", postgresql),
        ("NATS + PostgreSQL", _nats_and_postgresql),
    ]


@contextlib.contextmanager
def sqlite() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory() as folder:
        yield Settings(database_url=SecretStr(f"sqlite:///{Path(folder) / 'bench.db'}"))


@contextlib.contextmanager
def postgresql() -> Iterator[Settings]:
    with disposed(servers.own_postgres()) as server:
        yield Settings(database_url=SecretStr(server.url))


@contextlib.contextmanager
def _nats_and_postgresql() -> Iterator[Settings]:
    with disposed(servers.own_postgres()) as database, disposed(servers.own_nats()) as nats:
        yield Settings(database_url=SecretStr(database.url), nats_url=SecretStr(nats.url))


@contextlib.contextmanager
def disposed(server: S) -> Iterator[S]:
    try:
        yield server
    finally:
        server.dispose()
