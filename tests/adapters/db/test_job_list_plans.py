"""PostgreSQL finds the jobs that people look for by an index, in order, as few or many as fit."""

import itertools
from datetime import UTC, datetime
from typing import Any, cast

from framework_m.core.interfaces.job_reading import JobCursor, JobFilters
from tests.support.harness import Harness
from tests.support.many_jobs import fill, plans, reads_all, single_filters

JOBS = 15_000
FEW = 800
"""Rows that may be sorted."""


async def test_every_list_and_count_goes_by_an_index(postgresql: Harness) -> None:
    app = postgresql.app
    await fill(app, JOBS)
    now = datetime.now(UTC)
    singles = single_filters(now, JOBS)
    pairs = itertools.product(singles["status"], (*singles["job_name"], *singles["user"]))
    wanted: list[JobFilters] = [
        {},
        *itertools.chain.from_iterable(singles.values()),
        *(cast("JobFilters", {**one, **other}) for one, other in pairs),
    ]
    place = JobCursor(now, "x")
    for filters in wanted:
        nodes = [
            *await plans(app, lambda f=filters: app.jobs.list(**f)),  # type: ignore[misc]
            *await plans(app, lambda f=filters: app.jobs.list(before=place, **f)),  # type: ignore[misc]
            *await plans(app, lambda f=filters: app.jobs.count(up_to=100, **f)),  # type: ignore[misc]
        ]
        assert not any(reads_all(node) for node in nodes), (filters, nodes)
        assert not any(sorts_many(node) for node in nodes), (filters, nodes)


async def test_the_rates_of_queues_go_by_an_index(postgresql: Harness) -> None:
    app = postgresql.app
    await fill(app, JOBS)
    nodes = await plans(app, app.queues.list)
    assert not any(reads_all(node) for node in nodes), nodes


def sorts_many(node: dict[str, Any]) -> bool:
    return "Sort" in node["Node Type"] and node["Plan Rows"] > FEW
