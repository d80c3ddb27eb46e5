"""Many jobs in PostgreSQL, as after months of use, and the plans of questions about them."""

import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import event, text

from framework_m import FrameworkM, JobStatus
from framework_m.core.interfaces.job_reading import JobFilters

DAYS = 90
"""How long ago the first was asked for."""

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


async def fill(app: FrameworkM, jobs: int) -> None:
    """Some names, users and tags have many of them, others few; vacuumed and analysed."""
    async with app.transaction() as unit:
        await unit.execute(text(_FILL), {"jobs": jobs, "days": DAYS})
        await unit.execute(text(_FILL_TAGS))
    engine = app.ports.database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("VACUUM ANALYZE"))


def single_filters(now: datetime, jobs: int) -> dict[str, list[JobFilters]]:
    """By filter: with values that many jobs have, few, or none."""
    half = jobs // 2000
    return {
        "status": [{"status": JobStatus.SUCCESS}, {"status": JobStatus.CANCELLED}],
        "job_name": [{"job_name": "send_mail"}, {"job_name": "rare"}, {"job_name": "none"}],
        "queue": [{"queue": "mail"}, {"queue": "seldom"}],
        "user": [{"user_id": "robot"}, {"user_id": "user77"}],
        "tag": [{"tag": "invoice"}, {"tag": f"batch {half}"}, {"tag": "none"}],
        "since": [{"since": now - timedelta(days=60)}, {"since": now - timedelta(minutes=5)}],
        "until": [{"until": now - timedelta(days=1)}, {"until": now - timedelta(days=89)}],
        "correlation_id": [{"correlation_id": f"order {half}"}, {"correlation_id": "none"}],
        "parent_id": [{"parent_id": "none"}],
    }


async def plans(app: FrameworkM, question: Callable[[], Awaitable[Any]]) -> list[dict[str, Any]]:
    """The nodes of the plans of all statements with which a question is answered."""
    asked: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        asked.append((arguments[2], arguments[3]))

    engine = app.ports.database.engine
    event.listen(engine.sync_engine, "before_cursor_execute", note)
    await question()
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    found: list[dict[str, Any]] = []
    async with engine.connect() as connection:
        for statement, parameters in asked:
            rows = await connection.exec_driver_sql(
                f"EXPLAIN (FORMAT JSON) {statement}", parameters
            )
            plan = rows.scalar_one()
            [whole] = json.loads(plan) if isinstance(plan, str) else plan
            found += _nodes(whole["Plan"])
    return found


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def reads_all(node: dict[str, Any]) -> bool:
    """Whether this reads a table of jobs from its beginning to its end."""
    return "Seq Scan" in node["Node Type"] and node["Relation Name"] in ("job_log", "job_tag")
