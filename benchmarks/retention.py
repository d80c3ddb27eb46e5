"""What pruning costs others: 900,000 of 1,000,000 jobs go while a worker runs something else.

`python -m benchmarks.retention [rows]`
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from benchmarks.jobs import postgresql, sqlite
from framework_m import FrameworkM, JobStatus, Settings, job
from framework_m.core.jobs.retention import Retention

ROWS = 1_000_000
BACKLOG = 200
ROUNDS = 10
WINDOW = 4.0
"""Seconds: with and without in turn, so that what else the machine does falls on both."""

_ROW = """
INSERT INTO job_log (name, job_name, queue, priority, status, args, result, enqueued_at,
  scheduled_at, started_at, completed_at, updated_at, attempt, max_attempts, claim_no, rescues)
SELECT {id}, 'report', 'reports', 2,
  CASE WHEN n % 20 = 0 THEN 'Failed' WHEN n % 50 = 1 THEN 'Cancelled' ELSE 'Success' END,
  '{{"month": "2026-11", "customer": "somebody"}}', '{{"rows": 1000}}', {at}, {at}, {at}, {at},
  {at}, 1, 4, 1, 0
FROM {numbers}
"""
_LINE = """
INSERT INTO job_line (job_id, claim_no, number, at, level, message)
SELECT {id}, 1, line, {at}, 'INFO', 'a line that a job has said'
FROM {numbers}, (SELECT 0 AS line UNION SELECT 1 UNION SELECT 2) lines WHERE n % 10 = 0
"""
_ON_POSTGRESQL = {
    "id": "lpad(n::text, 36, '0')",
    # Nine of ten are older than anything is kept.
    "at": "now() - CASE WHEN n % 10 = 9 THEN interval '1 hour' ELSE interval '60 days' END"
    " + n * interval '1 millisecond'",
    "numbers": "generate_series(1, {rows}) AS n",
}
_ON_SQLITE = {
    "id": "printf('%036d', n)",
    "at": "strftime('%Y-%m-%d %H:%M:%f', 'now', CASE WHEN n % 10 = 9 THEN '-1 hours'"
    " ELSE '-60 days' END, (n / 1000.0) || ' seconds') || '000'",
    "numbers": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows})"
    " SELECT n FROM s)",
}

done = 0


@job
async def count_up() -> None:
    """Costs nothing; says that it ran."""
    global done  # noqa: PLW0603 - it runs in this process
    done += 1


@dataclass
class Times:
    """How long the transactions took that removed something, in seconds."""

    each: list[float] = field(default_factory=list)
    removed: int = 0

    def quantile(self, share: float) -> float:
        """So many of them took no longer."""
        return sorted(self.each)[round(share * (len(self.each) - 1))]

    def watch(self, retention: Retention) -> None:
        jobs: Any = retention._jobs
        remove_old = jobs.remove_old

        async def timed(
            status: JobStatus, *, older_than: timedelta, job_ids: Collection[str]
        ) -> int:
            began = time.perf_counter()
            removed: int = await remove_old(status, older_than=older_than, job_ids=job_ids)
            self.each.append(time.perf_counter() - began)
            self.removed += removed
            return removed

        jobs.remove_old = timed


async def main(rows: int) -> None:
    print(
        f"{'':<12} {'jobs/s without':>15} {'with':>8} {'ratio':>7} {'pruned':>9} {'rows/s':>8}"
        f" {'longest, ms':>12} {'99 %':>8} {'median':>8}"
    )
    for name, address in (("PostgreSQL", postgresql), ("SQLite", sqlite)):
        with address() as settings:
            await _measure(name, settings, rows)


async def _measure(name: str, settings: Settings, rows: int) -> None:
    times = Times()
    app = FrameworkM([__name__], settings=settings)
    await app.migrate()
    async with app:
        await _fill(app, rows)
        times.watch(app.retention)
        async with app.worker(), _busy():
            rounds = [(await _rate(), await _rate(app.retention)) for _ in range(ROUNDS)]
            began, left = time.perf_counter(), times.removed
            await app.retention.prune()
            took = time.perf_counter() - began
    without, during = (sum(rates) / ROUNDS for rates in zip(*rounds, strict=True))
    longest, nearly_all, half = (times.quantile(share) * 1000 for share in (1, 0.99, 0.5))
    print(
        f"{name:<12} {without:>15,.0f} {during:>8,.0f} {during / without:>7.2f}"
        f" {times.removed:>9,} {(times.removed - left) / took:>8,.0f}"
        f" {longest:>12,.0f} {nearly_all:>8,.0f} {half:>8,.1f}",
        flush=True,
    )


async def _fill(app: FrameworkM, rows: int) -> None:
    database = app.ports.database
    words = _ON_POSTGRESQL if database.is_postgresql else _ON_SQLITE
    numbers = words["numbers"].format(rows=rows)
    async with database.begin() as connection:
        for statement in (_ROW, _LINE):
            # Straight to the driver: SQLAlchemy would take colons for parameters.
            await connection.exec_driver_sql(statement.format(**{**words, "numbers": numbers}))
    async with database.begin() as connection:
        await connection.execute(text("ANALYZE"))


@contextlib.asynccontextmanager
async def _busy() -> AsyncIterator[None]:
    """Always some other jobs to run, never more than so many that wait."""
    feeding = asyncio.create_task(_feed())
    yield
    feeding.cancel()


async def _feed() -> None:
    asked = done
    while True:
        if asked - done < BACKLOG:
            await count_up.enqueue_many([count_up.call() for _ in range(BACKLOG // 2)])
            asked += BACKLOG // 2
        await asyncio.sleep(0.002)


async def _rate(pruned: Retention | None = None) -> float:
    """Other jobs a second, with or without pruning."""
    before, began = done, time.perf_counter()
    if pruned is None:
        await asyncio.sleep(WINDOW)
    else:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WINDOW):
                await pruned.prune()
    return (done - before) / (time.perf_counter() - began)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
