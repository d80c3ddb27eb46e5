"""Metrics, as Prometheus reads them: how queues, workers and schedules stand, from the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from litestar import Response, Router, get
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from framework_m.adapters.web.answers import COMMON
from framework_m.adapters.web.dependencies import Application
from framework_m.core import clock
from framework_m.core.doctypes.queue import QueueInfo
from framework_m.core.doctypes.scheduled_job import ScheduleStatus
from framework_m.core.doctypes.worker import WorkerInfo, WorkerStatus
from framework_m.core.interfaces.schedule_store import ScheduleStanding
from framework_m.core.metrics import Metrics

_FORMAT = "text/plain; version=0.0.4"
"""Of what every Prometheus reads; Litestar adds the charset."""
_STATES = ("waiting", "scheduled", "blocked", "running")
_WAITING = (ScheduleStatus.QUEUED, ScheduleStatus.SCHEDULED)
_OF_EVENTS = ("published", "delivered", "failed", "dead")


@dataclass(slots=True)
class _Families(Collector):
    """Metric families, in the order in which they came up."""

    found: list[Metric] = field(default_factory=list)

    def gauge(self, name: str, help_: str, labels: Sequence[str]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"framework_m_{name}", help_, labels=labels)
        self.found.append(family)
        return family

    def counter(self, name: str, help_: str, labels: Sequence[str]) -> CounterMetricFamily:
        family = CounterMetricFamily(f"framework_m_{name}", help_, labels=labels)
        self.found.append(family)
        return family

    def collect(self) -> Iterable[Metric]:
        return self.found


@get(
    "/metrics",
    summary="Metrics for Prometheus",
    media_type="text/plain",
    responses={
        200: ResponseSpec(
            str, description="Its text format.", media_type="text/plain", generate_examples=False
        ),
        **COMMON,
    },
)
async def show_metrics(application: Application) -> Response[bytes]:
    """How queues, workers and schedules stand; any web process tells it of all processes."""
    families = _Families()
    _schedules(families, await application.schedules.standings())
    _queues(families, await application.queues.list())
    _workers(families, await application.workers.list())
    _events(families, application.metrics)
    # These alone: what others keep in the library's global registry is theirs to show.
    return Response(generate_latest(families), media_type=_FORMAT)


def router() -> Router:
    return Router("/", route_handlers=[show_metrics], tags=["metrics"])


def _schedules(families: _Families, standings: Iterable[ScheduleStanding]) -> None:
    lag = families.gauge(
        "schedule_lag_seconds",
        "From the latest due time to the start of its job; as long as that waits, to now.",
        ["schedule"],
    )
    upcoming = families.gauge(
        "schedule_next_run_timestamp_seconds", "The next due time of enabled ones.", ["schedule"]
    )
    status = families.gauge(
        "schedule_last_status", "What became of the latest due time: 1.", ["schedule", "status"]
    )
    for it in standings:
        if (seconds := _lag(it)) is not None:
            lag.add_metric([it.name], seconds)
        if it.enabled and it.next_run is not None:
            upcoming.add_metric([it.name], it.next_run.timestamp())
        if it.last_status is not None:
            status.add_metric([it.name, it.last_status.value], 1)


def _lag(standing: ScheduleStanding) -> float | None:
    if standing.last_run is None or standing.last_job is None:
        return None
    started = standing.last_started_at
    if started is None and standing.last_status in _WAITING:
        started = clock.now()  # an alert must not wait for what never starts
    if started is None:
        return None
    return max((started - standing.last_run).total_seconds(), 0.0)


def _queues(families: _Families, queues: Iterable[QueueInfo]) -> None:
    jobs = families.gauge("jobs", "Jobs that have not ended.", ["queue", "state"])
    oldest = families.gauge(
        "queue_oldest_waiting_seconds",
        "How long the oldest job that is ready has been so; 0 if none is.",
        ["queue"],
    )
    paused = families.gauge("queue_paused", "Whether its jobs are held back.", ["queue"])
    for queue in queues:
        for state in _STATES:
            jobs.add_metric([queue.name, state], getattr(queue, state))
        oldest.add_metric([queue.name], queue.oldest_waiting_seconds or 0)
        paused.add_metric([queue.name], queue.paused)


def _workers(families: _Families, workers: Sequence[WorkerInfo]) -> None:
    family = families.gauge("workers", "Workers; lost ones are told of for a day.", ["state"])
    for status in WorkerStatus:
        count = sum(worker.status is status for worker in workers)
        family.add_metric([status.value], count)


def _events(families: _Families, counted: Metrics) -> None:
    """This process's own: the sum over all processes is Prometheus' to make."""
    family = families.counter(
        "events",
        "Events that this process published, and deliveries to its handlers, by group.",
        ["outcome", "group"],
    )
    totals: dict[tuple[str, str], int] = {}
    for (name, label), count in counted.snapshot().items():
        if name in _OF_EVENTS:
            # What is published goes to no group: the label is a topic, and not on every bus.
            key = (name, "" if name == "published" else label)
            totals[key] = totals.get(key, 0) + count
    for key, count in sorted(totals.items()):
        family.add_metric(list(key), count)
