"""`/metrics`: what Prometheus reads of queues, workers, schedules and events."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
import pytest
from prometheus_client import REGISTRY, Counter
from prometheus_client.parser import text_string_to_metric_families

from framework_m import BaseEvent
from framework_m.core.scheduling.firing import Fire
from framework_m.testing import Kit
from tests.support import jobs
from tests.support.callers import NOBODY, calling, fields
from tests.support.harness import Harness, until
from tests.support.scheduled_jobs import app as scheduled
from tests.support.scheduled_jobs import report

MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)


class Sold(BaseEvent):
    event_type: Literal["shop.sold"] = "shop.sold"


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def moved() -> AsyncIterator[tuple[Kit, httpx.AsyncClient]]:
    async with Kit(scheduled) as kit:
        kit.clock.move_to(MIDNIGHT)
        async with calling(scheduled) as client:
            yield kit, client


async def samples(client: httpx.AsyncClient) -> dict[str, float]:
    """What is told, by name and labels, as Prometheus writes them."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_queues_and_workers_are_told_of(either: Harness) -> None:
    app = either.app
    await jobs.on_another_queue.enqueue()
    await jobs.on_another_queue.options(delay=3600).enqueue()
    await app.queues.pause("other")
    async with calling(app) as client, app.worker():
        told = await samples(client)
    assert told['framework_m_jobs{queue="other",state="waiting"}'] == 1
    assert told['framework_m_jobs{queue="other",state="scheduled"}'] == 1
    assert told['framework_m_jobs{queue="other",state="blocked"}'] == 0
    assert told['framework_m_jobs{queue="default",state="running"}'] == 0
    assert told['framework_m_queue_oldest_waiting_seconds{queue="other"}'] >= 0
    assert told['framework_m_queue_oldest_waiting_seconds{queue="default"}'] == 0
    assert told['framework_m_queue_paused{queue="other"}'] == 1
    assert told['framework_m_queue_paused{queue="default"}'] == 0
    assert {name: n for name, n in told.items() if "_workers" in name} == {
        'framework_m_workers{state="running"}': 1,
        'framework_m_workers{state="draining"}': 0,
        'framework_m_workers{state="lost"}': 0,
    }


async def test_due_times_to_come_are_told_of_what_is_enabled(
    moved: tuple[Kit, httpx.AsyncClient],
) -> None:
    _, client = moved
    odd = 'the "best" \\ € report'
    await scheduled.schedule(report, "@hourly", name=odd, month="May")
    await scheduled.schedule(report, "@hourly", name="paused", month="May", enabled=False)
    told = await samples(client)
    upcoming = f'framework_m_schedule_next_run_timestamp_seconds{{schedule="{odd}"}}'
    assert told[upcoming] == (MIDNIGHT + timedelta(hours=1)).timestamp()
    assert [name for name in told if "lag" in name or "status" in name or '"paused"' in name] == []


async def test_a_job_that_does_not_start_lags_more_and_more(
    moved: tuple[Kit, httpx.AsyncClient],
) -> None:
    kit, client = moved
    await scheduled.schedule(report, "0 1 * * *", name="early", month="May")
    due = MIDNIGHT + timedelta(hours=1)
    kit.clock.move_to(due + timedelta(seconds=2))
    ports = scheduled.ports
    await Fire(ports.schedule_store, ports.units, ports.jobs, timedelta(seconds=10))(["early"])
    kit.clock.advance(seconds=40)
    told = await samples(client)
    assert 42 <= told['framework_m_schedule_lag_seconds{schedule="early"}'] < 100
    assert told['framework_m_schedule_last_status{schedule="early",status="Queued"}'] == 1
    await kit.drain()
    kit.clock.advance(hours=1)
    told = await samples(client)
    assert 42 <= told['framework_m_schedule_lag_seconds{schedule="early"}'] < 100
    assert told['framework_m_schedule_last_status{schedule="early",status="Success"}'] == 1


async def test_events_of_this_process_are_counted(sqlite: Harness) -> None:
    app = sqlite.app
    app.metrics.count("delivered", "billing", by=2)
    app.metrics.count("begun")

    async def _published() -> bool:
        return app.metrics.value("published") > 0

    async with calling(app) as client, app.serving():
        await app.publish(Sold())
        await until(_published)
        told = await samples(client)
    assert told['framework_m_events_total{group="billing",outcome="delivered"}'] == 2
    # The schedules that were declared are documents, and tell of themselves.
    assert told['framework_m_events_total{group="",outcome="published"}'] >= 1
    assert not any("begun" in name for name in told)


async def test_what_an_application_keeps_in_the_global_registry_stays_its_own(
    sqlite: Harness,
) -> None:
    counter = Counter("test_metrics_own", "An application's own.")
    try:
        async with calling(sqlite.app) as client:
            assert not any("test_metrics_own" in name for name in await samples(client))
            assert not any("python_info" in name for name in await samples(client))
    finally:
        REGISTRY.unregister(counter)


async def test_metrics_are_for_those_who_may_do_everything(sqlite: Harness) -> None:
    async with calling(sqlite.app, NOBODY) as client, calling(sqlite.app, None) as stranger:
        assert (await client.get("/metrics")).status_code == 403
        refused = await stranger.get("/metrics")
    assert (refused.status_code, fields(refused)) == (401, {})
