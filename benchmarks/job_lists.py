"""Lists and counts over a million jobs on PostgreSQL: each by an index, in milliseconds.

python -m benchmarks.job_lists
"""

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event, text

from benchmarks.jobs import postgresql
from framework_m import FrameworkM, JobStatus
from framework_m.core.interfaces.job_reading import JobCursor, JobFilters

JOBS = 1_000_000
DAYS = 90
TIMES = 8
"""Of each question: after five, PostgreSQL may keep a plan that serves any value."""
ALLOWED = 150.0
"""Milliseconds."""

_FILL = """
INSERT INTO job_log (
    name, job_name, queue, priority, status, args, result, error, enqueued_at, scheduled_at,
    started_at, completed_at, updated_at, attempt, max_attempts, user_id, user_roles, parent_id,
    correlation_id, tags, claim_no, rescues, dispatched_at, retry_of
)
SELECT
    id, job_name, CASE job_name WHEN 'send_mail' THEN 'mail' WHEN 'rare' THEN 'seldom'
        WHEN 'report' THEN 'reports' ELSE 'default' END,
    2, status, json_build_object('to', 'user' || n || '@example.org', 'text', repeat('x', 80)),
    CASE status WHEN 'Success' THEN '{"sent": true, "size": 1234}' END,
    CASE status WHEN 'Failed' THEN 'ConnectionError: the server went away' END,
    at, at, at, CASE WHEN status IN ('Success', 'Failed', 'Cancelled') THEN at END, at, 1, 4,
    CASE WHEN chance < 30 THEN 'robot' WHEN chance < 60 THEN 'user' || n % 5000 END, '["Clerk"]',
    CASE WHEN n % 10 = 0 THEN substr(id, 1, 24) || lpad(to_hex(n / 1000), 12, '0') END,
    CASE WHEN n % 10 = 0 THEN 'order ' || n / 1000 ELSE id END,
    CASE WHEN n % 5 = 0 THEN json_build_array('invoice', 'batch ' || n / 1000)::text END,
    1, 0, at, CASE WHEN n % 50 = 0 THEN id END
FROM (
    SELECT *,
        substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0')
            AS id,
        CASE WHEN n % 50000 = 7 THEN 'rare' WHEN other < 60 THEN 'send_mail'
            WHEN other < 98 THEN 'import_row' ELSE 'report' END AS job_name,
        CASE WHEN n > :jobs - 50 THEN 'Running' WHEN n > :jobs - 5000 THEN 'Queued'
            WHEN third < 960 THEN 'Success' WHEN third < 999 THEN 'Failed'
            ELSE 'Cancelled' END AS status
    FROM (
        SELECT n, at, lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS hex,
            hashint4(n) & 63 AS chance, (hashint4(n + 1) & 1023) % 100 AS other,
            (hashint4(n + 2) & 65535) % 1000 AS third
        FROM (
            SELECT n, now() - (:jobs - n) * (:days * interval '1 day' / :jobs) AS at
            FROM generate_series(1, :jobs) AS n
        ) AS moments
    ) AS chances
) AS jobs
"""
_FILL_TAGS = """
INSERT INTO job_tag SELECT value, enqueued_at, name
FROM job_log, json_array_elements_text(tags::json) WHERE tags IS NOT NULL
"""

Question = tuple[str, Callable[[], Awaitable[Any]]]


async def main() -> bool:
    """Whether every question was answered in time, by an index."""
    with postgresql() as settings:
        app = FrameworkM([], settings=settings)
        await app.migrate()
        async with app:
            await _fill(app)
            print(f"{f'{JOBS:,} jobs, milliseconds':<58} {'median':>8} {'worst':>8}   by")
            answers = [await _ask(app, *question) for question in _questions(app)]
    return all(answers)


async def _fill(app: FrameworkM) -> None:
    async with app.transaction() as unit:
        await unit.execute(text(_FILL), {"jobs": JOBS, "days": DAYS})
        await unit.execute(text(_FILL_TAGS))
    engine = app.ports.database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("VACUUM ANALYZE"))


def _questions(app: FrameworkM) -> Iterator[Question]:
    now = datetime.now(UTC)
    deep = JobCursor(now - timedelta(days=DAYS * 0.8), "x")
    for told, filters in _filters(now).items():
        yield f"list {told}", lambda filters=filters: app.jobs.list(**filters)  # type: ignore[misc]
        yield (
            f"list {told}, a deep page",
            lambda filters=filters: app.jobs.list(before=deep, **filters),  # type: ignore[misc]
        )
        yield f"count {told}", lambda filters=filters: app.jobs.count(**filters)  # type: ignore[misc]
    yield "list of queues", app.queues.list


def _filters(now: datetime) -> dict[str, JobFilters]:
    values: dict[str, list[JobFilters]] = {
        "status": [{"status": JobStatus.SUCCESS}, {"status": JobStatus.CANCELLED}],
        "job_name": [{"job_name": "send_mail"}, {"job_name": "rare"}, {"job_name": "none"}],
        "queue": [{"queue": "mail"}, {"queue": "seldom"}],
        "user": [{"user_id": "robot"}, {"user_id": "user77"}],
        "tag": [{"tag": "invoice"}, {"tag": "batch 500"}, {"tag": "none"}],
        "since": [{"since": now - timedelta(days=60)}, {"since": now - timedelta(minutes=5)}],
        "until": [{"until": now - timedelta(days=1)}, {"until": now - timedelta(days=89)}],
        "correlation_id": [{"correlation_id": "order 500"}, {"correlation_id": "none"}],
        "parent_id": [{"parent_id": "none"}],
    }
    found: dict[str, JobFilters] = {"": {}}
    for one in itertools.chain.from_iterable(values.values()):
        found[_told(one)] = one
    for left, right in itertools.combinations(values.values(), 2):
        for one, other in itertools.product(left, right):
            pair: JobFilters = {**one, **other}
            found[_told(pair)] = pair
    return found


def _told(filters: JobFilters) -> str:
    return " ".join(
        f"{name}={value:%m-%d}" if isinstance(value, datetime) else f"{name}={value}"
        for name, value in filters.items()
    )


async def _ask(app: FrameworkM, told: str, question: Callable[[], Awaitable[Any]]) -> bool:
    asked: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        asked.append((arguments[2], arguments[3]))

    engine = app.ports.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await question()
    event.remove(engine, "before_cursor_execute", note)
    plan = "; ".join([await _plan(app, *statement) for statement in asked])
    took = []
    for _ in range(TIMES):
        started = time.perf_counter()
        await question()
        took.append((time.perf_counter() - started) * 1000)
    is_good = statistics.median(took) < ALLOWED and "Seq Scan on job" not in plan
    mark = "" if is_good else "   <<<"
    print(
        f"{told:<58} {statistics.median(took):>8.1f} {max(took):>8.1f}   {plan}{mark}", flush=True
    )
    return is_good


async def _plan(app: FrameworkM, statement: str, parameters: Any) -> str:
    """What reads the tables, in a few words."""
    async with app.ports.database.engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        lines = [row[0].strip().removeprefix("->").strip() for row in rows]
    words = ("Scan", "Sort")
    return ", ".join(
        line.partition("  (")[0]
        for line in lines
        if line.split("  ")[0].split(" ")[0]
        and any(
            word in line.partition("  (")[0] and not line.startswith(("Sort Key", "Subquery"))
            for word in words
        )
    )


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
