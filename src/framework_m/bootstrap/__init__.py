"""The composition root: settings in, ports out.

Owns: which adapters an application has, and how they are wired to each other.
May import: adapters, settings, core. The only package that names adapters.
Must not touch: app, cli; it decides nothing that a port could.
Invariants: a process loads only what its backend needs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from framework_m.adapters.access.jwt_tokens import Expected, reader
from framework_m.adapters.db.api_key_store import DatabaseApiKeyStore
from framework_m.adapters.db.application_migrations import ApplicationMigrations
from framework_m.adapters.db.engine import Database, safe_url
from framework_m.adapters.db.event_letters import EventInbox
from framework_m.adapters.db.job_events import JobEvents
from framework_m.adapters.db.job_log_store import JobLogStore
from framework_m.adapters.db.job_pruning import JobPruner
from framework_m.adapters.db.queue_store import DatabaseQueueStore
from framework_m.adapters.db.replays import DatabaseReplayStore
from framework_m.adapters.db.repositories import DocumentRepositories
from framework_m.adapters.db.secrets import Cipher
from framework_m.adapters.db.tables import Tables
from framework_m.adapters.db.unit_of_work import UnitsOfWork
from framework_m.adapters.db.worker_store import DatabaseWorkerStore
from framework_m.adapters.events.bus import BusOptions
from framework_m.adapters.events.choice import OverNats, choose
from framework_m.adapters.jobs.broker import BrokerHost, JobBroker
from framework_m.adapters.jobs.database import notify_channel
from framework_m.bootstrap.ports import Ports
from framework_m.bootstrap.scheduling import Scheduling, scheduling, upkeep
from framework_m.bootstrap.transport import shown_nats, stream_limits, transport
from framework_m.core import clock
from framework_m.core.access.api_keys import ApiKeys
from framework_m.core.access.gate import Gate
from framework_m.core.doctypes.queue import Queue
from framework_m.core.doctypes.scheduled_job import ScheduledJob
from framework_m.core.events.hosting import HandlerHost
from framework_m.core.events.service import Events
from framework_m.core.jobs.limits import Limits
from framework_m.core.jobs.queue_states import QueueKeeper, QueueStates
from framework_m.core.jobs.queues import Queues
from framework_m.core.jobs.retention import Retention
from framework_m.core.jobs.service import Jobs
from framework_m.core.outbox.event_relay import EventRelay
from framework_m.core.outbox.relay import Relay
from framework_m.core.scheduling.schedules import Schedules
from framework_m.settings import Backend, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from litestar import Litestar
    from sqlalchemy.ext.asyncio import AsyncEngine

    from framework_m.adapters.events.choice import EventPorts
    from framework_m.adapters.nats.connection import NatsConnection
    from framework_m.core.doctypes.base import DocType
    from framework_m.core.interfaces.application import ApplicationProtocol, ContentsProtocol
    from framework_m.core.interfaces.record_keeper import RecordKeeper
    from framework_m.core.interfaces.replays import ReplayStore

__all__ = ["Ports", "application_broker", "asgi", "bootstrap", "safe_url", "shown_nats"]

_RESERVED_CONNECTIONS = 3
"""Claims, outcomes and a sweep at once."""


def bootstrap(
    settings: Settings,
    contents: ContentsProtocol,
    home: Path,
    broker: JobBroker,
    *,
    engine: AsyncEngine | None = None,
) -> Ports:
    """Choose and wire the adapters. Connects to nothing yet.

    contents: what the application's modules hold.
    broker: the application's own, which outlives the ports.
    engine: one that the application has already, instead of one of our own.
    """
    registry = contents.jobs
    database = _database(settings, engine)
    reserved = database.reserved(_RESERVED_CONNECTIONS)
    queue_store = DatabaseQueueStore(database, reserved)
    queue_states = QueueStates(queue_store)
    store = _job_store(settings, database, reserved, Limits(registry, queue_states.limit_of))
    way = transport(settings, database, store)
    relay = Relay(store, way.queue)
    store.tell_ready = relay.publish
    units = UnitsOfWork(database)
    jobs = Jobs(registry, store, units, relay)
    tables = Tables(contents.doctypes, Cipher(settings.secret_keys))
    bus = _events(settings, reserved, way.nats)
    handler_host = HandlerHost(contents.handlers, bus.bus, EventInbox(database))
    event_relay = EventRelay(bus.outbox, bus.bus, bus.letters, handler_host.define)
    events = _events_service(settings, bus, units, event_relay)
    scheduled = scheduling(settings, contents.settling, database, reserved, jobs, broker, way.nats)
    keepers = _keepers(queue_states, scheduled)
    repositories = DocumentRepositories(database, tables, units, jobs, events, keepers=keepers)
    replays = DatabaseReplayStore(database, units)
    ports = Ports(
        settings=settings,
        database=database,
        reserved=reserved,
        units=units,
        job_store=store,
        job_queue=way.queue,
        broker=broker,
        job_streams=way.streams,
        relay=relay,
        jobs=jobs,
        queues=Queues(queue_store, units, repositories, registry),
        queue_states=queue_states,
        worker_store=DatabaseWorkerStore(database, reserved),
        schedules=Schedules(scheduled.store, units, repositories, jobs, contents.settling),
        schedule_store=scheduled.store,
        scheduler=scheduled.scheduler,
        upkeep=upkeep(settings, contents, scheduled, units, repositories),
        nats=way.nats,
        tables=tables,
        repositories=repositories,
        migrations=_migrations(settings, database, tables, home),
        access=_access(settings, database),
        replays=replays,
        retention=Retention(
            JobPruner(database),
            replays,
            scheduled.store,
            settings.keeping,
            settings.keep_schedule_days,
        ),
        events=events,
        event_relay=event_relay,
        event_log=bus.log,
        handlers=handler_host,
        metrics=bus.bus.metrics,
    )
    handler_host.bind(ports)
    store.tell_ended = _job_events(settings, bus, event_relay)
    return ports


def _database(settings: Settings, engine: AsyncEngine | None) -> Database:
    return Database(
        settings.database_url.get_secret_value(),
        schema=settings.database_schema,
        pool_size=settings.database_pool_size,
        engine=engine,
        clock=clock.moved(),
    )


def _job_store(
    settings: Settings, database: Database, reserved: Database, limits: Limits
) -> JobLogStore:
    rows_are_messages = settings.effective_backend is Backend.DATABASE
    channel = notify_channel(settings.database_schema) if rows_are_messages else None
    return JobLogStore(database, reserved=reserved, notify_channel=channel, limits=limits)


def _retention(
    settings: Settings, database: Database, replays: ReplayStore, scheduled: Scheduling
) -> Retention:
    keep, keep_due_times = settings.keeping, settings.keep_schedule_days
    return Retention(JobPruner(database), replays, scheduled.store, keep, keep_due_times)


def _keepers(
    queue_states: QueueStates, scheduled: Scheduling
) -> Mapping[type[DocType], RecordKeeper[Any]]:
    return {Queue: QueueKeeper(queue_states), ScheduledJob: scheduled.keeper}


def _migrations(
    settings: Settings, database: Database, tables: Tables, home: Path
) -> ApplicationMigrations:
    folder, version_table = home / settings.migrations, settings.migrations_table
    return ApplicationMigrations(database, tables, folder, version_table)


def _job_events(settings: Settings, bus: EventPorts, relay: EventRelay) -> JobEvents | None:
    if not settings.job_events:
        return None
    return JobEvents(bus.bus, bus.outbox, relay, settings.event_source)


def _access(settings: Settings, database: Database) -> Gate:
    expected = Expected(settings.jwt_issuer, settings.jwt_audience, settings.jwt_roles_claim)
    return Gate(
        ApiKeys(DatabaseApiKeyStore(database)),
        reader(settings.secret_keys, settings.jwks_url, settings.jwt_algorithms, expected),
        session_lifetime=timedelta(seconds=settings.session_lifetime),
    )


def _events(settings: Settings, reserved: Database, nats: NatsConnection | None) -> EventPorts:
    options = BusOptions(
        lease=settings.lease,
        stop_grace=settings.stop_grace,
        poll_interval=settings.poll_interval,
        retention=timedelta(days=settings.event_retention_days),
        source=settings.event_source,
    )
    over = None
    if nats is not None:
        over = OverNats(nats, settings.nats_prefix, stream_limits(settings))
    in_memory = settings.effective_backend is Backend.MEMORY
    return choose(options, reserved, in_memory=in_memory, nats=over)


def application_broker(host: BrokerHost) -> JobBroker:
    """The taskiq broker of an application, whether it is open or not."""
    return JobBroker(host)


def _events_service(
    settings: Settings, bus: EventPorts, units: UnitsOfWork, relay: EventRelay
) -> Events:
    return Events(
        bus.bus,
        bus.outbox,
        bus.letters,
        units,
        relay,
        source=settings.event_source,
        limit=settings.event_limit,
    )


def asgi(application: ApplicationProtocol) -> Litestar:
    """The application as a Litestar application of its own."""
    # Web processes only: a worker need not load a web framework.
    from framework_m.adapters.web.app import build  # noqa: PLC0415

    return build(application)
