"""taskiq's own middlewares for OpenTelemetry and Prometheus work."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from taskiq.middlewares.opentelemetry_middleware import OpenTelemetryMiddleware

from tests.support.harness import Harness

ROOT = Path(__file__).parents[3]


async def test_a_trace_goes_from_who_asks_through_the_job_to_its_children(sqlite: Harness) -> None:
    app = sqlite.application(modules=[])
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces = TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    app.broker.add_middlewares(
        OpenTelemetryMiddleware(traces, MeterProvider(metric_readers=[reader]))
    )

    @app.broker.task(name="child")
    async def child() -> None:
        raise ValueError("no luck")

    @app.broker.task(name="parent")
    async def parent() -> str:
        return (await child.kiq()).task_id

    async with app, app.worker():
        asked = await parent.kiq()
        await sqlite.ended((await sqlite.ended(asked.task_id)).result)
    spans = {it.name: it for it in exporter.get_finished_spans()}
    line = ["send/parent", "execute/parent", "send/child", "execute/child"]
    assert sorted(spans) == sorted(line)
    assert [parent_of(spans[name]) for name in line[1:]] == [
        id_of(spans[name]) for name in line[:-1]
    ]
    assert spans["execute/child"].status.status_code is StatusCode.ERROR
    assert spans["execute/parent"].status.status_code is not StatusCode.ERROR
    counted = {it.name: it for it in metrics_of(reader)}
    assert counted["task_success"].data.data_points[0].value == 1
    assert counted["task_errors"].data.data_points[0].value == 1
    assert sum(it.value for it in counted["worker_active_tasks"].data.data_points) == 0
    assert sum(it.count for it in counted["task_wait_time"].data.data_points) == 2


def id_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id}:{span.context.span_id}"


def parent_of(span: ReadableSpan) -> str:
    assert span.parent is not None
    return f"{span.parent.trace_id}:{span.parent.span_id}"


def metrics_of(reader: InMemoryMetricReader) -> list[Any]:
    data = reader.get_metrics_data()
    assert data is not None
    return [
        metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


def test_prometheus_counts_jobs(tmp_path: Path) -> None:
    """In a process of its own: its client's registry is one for a whole process."""
    shown = subprocess.run(
        [sys.executable, "-m", "tests.support.measured_application", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'test.db'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    counted = [line for line in shown.stdout.splitlines() if line.startswith(("s", "f", "r"))]
    assert sorted(counted) == [
        'found_errors_total{task_name="fails"} 1.0',
        'received_tasks_total{task_name="fails"} 1.0',
        'received_tasks_total{task_name="works"} 2.0',
        'saved_results_total{task_name="fails"} 1.0',
        'saved_results_total{task_name="works"} 2.0',
        'success_tasks_total{task_name="works"} 2.0',
    ]
