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

from benchmarks.jobs import postgresql
from framework_m import FrameworkM
from framework_m.core.interfaces.job_reading import JobCursor, JobFilter, JobFilters, JobScope
from tests.support.many_jobs import DAYS, fill, plans, reads_all, single_filters

JOBS = 1_000_000
TIMES = 8
"""Of each question: after five, PostgreSQL may keep a plan that serves any value."""
ALLOWED = 150.0
"""Milliseconds."""

Question = tuple[str, Callable[[], Awaitable[Any]]]


async def main() -> bool:
    """Whether every question was answered in time, by an index."""
    with postgresql() as settings:
        app = FrameworkM([], settings=settings)
        await app.migrate()
        async with app:
            await fill(app, JOBS)
            print(f"{f'{JOBS:,} jobs, milliseconds':<58} {'median':>8} {'worst':>8}   by")
            answers = [await _ask(app, *question) for question in _questions(app)]
    return all(answers)


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
    for scope in JobScope:
        yield f"pick, {scope}, job_name=send_mail", lambda scope=scope: _pick(app, scope)  # type: ignore[misc]
    yield "list of queues", app.queues.list


async def _pick(app: FrameworkM, scope: JobScope) -> None:
    """What the first of a bulk request's transactions begins with."""
    async with app.ports.units() as unit:
        wanted = JobFilter(job_name="send_mail", limit=200)
        await app.ports.job_store.pick(unit, wanted, scope)


def _filters(now: datetime) -> dict[str, JobFilters]:
    values = single_filters(now, JOBS)
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
    nodes = await plans(app, question)
    took = []
    for _ in range(TIMES):
        started = time.perf_counter()
        await question()
        took.append((time.perf_counter() - started) * 1000)
    median = statistics.median(took)
    is_good = median < ALLOWED and not any(reads_all(node) for node in nodes)
    print(
        f"{told:<58} {median:>8.1f} {max(took):>8.1f}   {_by(nodes)}{'' if is_good else '   <<<'}",
        flush=True,
    )
    return is_good


def _by(nodes: list[dict[str, Any]]) -> str:
    """What reads the tables, in a few words."""
    return ", ".join(
        f"{node['Node Type']} {node.get('Index Name', node.get('Relation Name', ''))}".strip()
        for node in nodes
        if "Scan" in node["Node Type"] or "Sort" in node["Node Type"]
    )


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
