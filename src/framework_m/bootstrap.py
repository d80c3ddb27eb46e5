"""The composition root: settings in, ports out. The only module that names adapters."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from framework_m.adapters.access.jwt_tokens import Expected, reader
from framework_m.adapters.db import migrations
from framework_m.adapters.db.api_key_store import DatabaseApiKeyStore
from framework_m.adapters.db.application_migrations import ApplicationMigrations
from framework_m.adapters.db.engine import Database, safe_url
from framework_m.adapters.db.event_letters import EventInbox
from framework_m.adapters.db.job_events import JobEvents
from framework_m.adapters.db.job_log_store import JobLogStore
from framework_m.adapters.db.replays import DatabaseReplayStore
from framework_m.adapters.db.repositories import DocumentRepositories
from framework_m.adapters.db.secrets import Cipher
from framework_m.adapters.db.tables import Tables
from framework_m.adapters.db.unit_of_work import UnitsOfWork
from framework_m.adapters.events.bus import BusOptions
from framework_m.adapters.events.choice import OverNats, choose
from framework_m.adapters.jobs.broker import JobBroker, JobBrokerMixin
from framework_m.adapters.jobs.database import DatabaseJobQueue, notify_channel
from framework_m.adapters.jobs.in_memory import InMemoryJobQueue
from framework_m.adapters.jobs.ports import WorkerPorts
from framework_m.adapters.jobs.worker import run_worker, worker
from framework_m.core.access.api_keys import ApiKeys
from framework_m.core.access.gate import Gate
from framework_m.core.doctypes.base import DocType
from framework_m.core.errors import UnavailableError
from framework_m.core.events.hosting import HandlerHost
from framework_m.core.events.service import Events
from framework_m.core.interfaces.application import Check
from framework_m.core.jobs.service import Jobs
from framework_m.core.outbox.event_relay import EventRelay
from framework_m.core.outbox.relay import Relay
from framework_m.settings import Backend, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from litestar import Litestar
    from pydantic import BaseModel, SecretStr
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

    from framework_m.adapters.db.event_log import EventLog
    from framework_m.adapters.events.choice import EventPorts
    from framework_m.adapters.events.nats_event_bus import NatsEventBusAdapter
    from framework_m.adapters.jobs.jetstream_broker import JetStreamBroker
    from framework_m.adapters.nats.connection import NatsConnection, NatsOptions
    from framework_m.adapters.nats.streams import StreamLimits, StreamReport
    from framework_m.core.doctypes.registry import DocTypeRegistry
    from framework_m.core.events.registry import HandlerRegistry
    from framework_m.core.identity import User
    from framework_m.core.interfaces.application import ApplicationProtocol
    from framework_m.core.interfaces.job_queue import JobQueueProtocol
    from framework_m.core.interfaces.job_store import JobStore
    from framework_m.core.interfaces.replays import ReplayStore
    from framework_m.core.interfaces.repository import Repository
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.registry import JobRegistry
    from framework_m.core.metrics import Metrics
    from framework_m.core.transaction import Transaction

__all__ = ["Ports", "asgi", "bootstrap", "safe_url", "shown_nats"]


D = TypeVar("D", bound=DocType)

_RESERVED_CONNECTIONS = 3
"""Claims, outcomes and a sweep at once."""
_PRUNED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Ports:
    """One application's adapters, chosen and connected to each other."""

    settings: Settings
    database: Database
    reserved: Database
    """Connections for what keeps jobs going, which jobs and requests cannot use up."""
    units: UnitOfWorkFactory
    job_store: JobStore
    job_queue: JobQueueProtocol
    broker: JobBrokerMixin
    relay: Relay
    jobs: Jobs
    nats: NatsConnection | None
    tables: Tables
    repositories: DocumentRepositories
    migrations: ApplicationMigrations
    access: Gate
    replays: ReplayStore
    events: Events
    event_relay: EventRelay
    event_log: EventLog
    handlers: HandlerHost
    metrics: Metrics

    async def enqueue(self, job: Any, /, *args: Any, **kwargs: Any) -> JobHandle[Any]:
        return await self.jobs.enqueue(job, *args, **kwargs)

    async def publish(self, event: BaseModel, topic: str | None = None) -> None:
        await self.events.publish(event, topic)

    def repository(self, doctype: type[D], *, as_user: User | None = None) -> Repository[D]:
        return self.repositories(doctype, as_user=as_user)

    @contextlib.asynccontextmanager
    async def transaction(self, session: AsyncSession | None = None) -> AsyncIterator[Transaction]:
        units = self.units
        async with units() if session is None else units.join(session) as unit:
            yield self.repositories.transaction(unit)

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self.units.session()

    async def start(self) -> None:
        await self.job_queue.start()
        await self.events.bus.start()

    async def close(self) -> None:
        await self.event_relay.close()
        await self.events.bus.close()
        await self.relay.close()
        await self.job_queue.close()
        await self.reserved.close()
        await self.database.close()

    async def prune_events(self) -> None:
        """Forget events that are older than they are kept, in small batches."""
        age = timedelta(days=self.settings.event_retention_days)
        while await self.event_log.prune(age, _PRUNED_AT_ONCE):
            pass

    async def migrate(self) -> None:
        """Bring the schema to this version. Raises UnavailableError."""
        await migrations.upgrade(self.database)
        await self.migrations.upgrade()

    async def require_schema(self) -> None:
        """Raises SchemaOutdatedError if the schema is older than this version."""
        await migrations.require_current(self.database)
        await self.migrations.require_current()

    async def schema_revisions(self) -> tuple[str | None, str]:
        """The revision that the database is at, and the one that this version needs."""
        return await migrations.current(self.database), migrations.head()

    async def readiness(self) -> Sequence[Check]:
        checks = [await self._database_check()]
        if self.nats is not None:
            checks.append(await self._nats_check(self.nats))
        return checks

    async def _nats_check(self, nats: NatsConnection) -> Check:
        try:
            await nats.require_jetstream()
        except UnavailableError as error:
            return Check("nats", ok=False, detail=str(error))
        return Check("nats", ok=True, detail="available")

    async def _database_check(self) -> Check:
        try:
            await self.database.ping()
            await self.require_schema()
        except UnavailableError as error:
            return Check("database", ok=False, detail=str(error))
        return Check("database", ok=True, detail="available")

    async def streams(self) -> Sequence[StreamReport]:
        """The streams in use: subjects, retention, purpose, and what has drifted."""
        if self.nats is None:
            return []
        broker = cast("JetStreamBroker", self.broker)
        bus = cast("NatsEventBusAdapter", self.events.bus)
        return [*await broker.report_streams(), await bus.report_stream()]

    def worker(self, queues: tuple[str, ...] | None = None) -> AbstractAsyncContextManager[None]:
        """A worker in this process, for as long as the block lasts."""
        return worker(self._bound_worker_ports(), queues)

    async def run_worker(self, stop: asyncio.Event, queues: tuple[str, ...] | None = None) -> None:
        """The same until `stop`."""
        await run_worker(self._bound_worker_ports(), stop, queues)

    def _bound_worker_ports(self) -> WorkerPorts:
        ports = self._worker_ports()
        self.broker.bind(ports)
        return ports

    def _worker_ports(self) -> WorkerPorts:
        settings = self.settings
        return WorkerPorts(
            registry=self.jobs.registry,
            store=self.job_store,
            queue=self.job_queue,
            broker=self.broker,
            relay=self.relay,
            enqueue=self.jobs.enqueue_as,
            services=self,
            lease_store=self._lease_store,
            lease=timedelta(seconds=settings.lease),
            stop_grace=settings.stop_grace,
            sweep_interval=settings.sweep_interval,
            concurrency=settings.concurrency,
            max_rescues=settings.max_rescues,
            log_lines=settings.job_log_lines,
        )

    @contextlib.asynccontextmanager
    async def _lease_store(self) -> AsyncIterator[JobStore]:
        database = self.database.alone()
        try:
            yield JobLogStore(database)
        finally:
            await database.close()


def bootstrap(
    settings: Settings,
    registry: JobRegistry,
    doctypes: DocTypeRegistry,
    handlers: HandlerRegistry,
    home: Path,
    *,
    engine: AsyncEngine | None = None,
) -> Ports:
    """Choose and wire the adapters. Connects to nothing yet.

    engine: one that the application has already, instead of one of our own.
    """
    database = Database(
        settings.database_url.get_secret_value(),
        schema=settings.database_schema,
        pool_size=settings.database_pool_size,
        engine=engine,
    )
    rows_are_messages = settings.effective_backend is Backend.DATABASE
    channel = notify_channel(settings.database_schema) if rows_are_messages else None
    reserved = database.reserved(_RESERVED_CONNECTIONS)
    store = JobLogStore(database, reserved=reserved, notify_channel=channel)
    way = _transport(settings, database, store)
    relay = Relay(store, way.queue)
    units = UnitsOfWork(database)
    jobs = Jobs(registry, store, units, relay)
    tables = Tables(doctypes, Cipher(settings.secret_keys))
    bus = _events(settings, reserved, way.nats)
    handler_host = HandlerHost(handlers, bus.bus, EventInbox(database))
    event_relay = EventRelay(bus.outbox, bus.bus, bus.letters, handler_host.define)
    events = Events(
        bus.bus,
        bus.outbox,
        bus.letters,
        units,
        event_relay,
        source=settings.event_source,
        limit=settings.event_limit,
    )
    ports = Ports(
        settings=settings,
        database=database,
        reserved=reserved,
        units=units,
        job_store=store,
        job_queue=way.queue,
        broker=way.broker,
        relay=relay,
        jobs=jobs,
        nats=way.nats,
        tables=tables,
        repositories=DocumentRepositories(database, tables, units, jobs, events),
        migrations=ApplicationMigrations(
            database, tables, home / settings.migrations, settings.migrations_table
        ),
        access=_access(settings, database),
        replays=DatabaseReplayStore(database, units),
        events=events,
        event_relay=event_relay,
        event_log=bus.log,
        handlers=handler_host,
        metrics=bus.bus.metrics,
    )
    handler_host.bind(ports)
    if settings.job_events:
        store.tell_ended = JobEvents(bus.bus, bus.outbox, event_relay, settings.event_source)
    return ports


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
        over = OverNats(nats, settings.nats_prefix, _stream_limits(settings))
    in_memory = settings.effective_backend is Backend.MEMORY
    return choose(options, reserved, in_memory=in_memory, nats=over)


@dataclass(frozen=True, slots=True)
class _Transport:
    """What carries jobs to workers."""

    queue: JobQueueProtocol
    broker: JobBrokerMixin
    nats: NatsConnection | None = None


def _transport(settings: Settings, database: Database, store: JobStore) -> _Transport:
    match settings.effective_backend:
        case Backend.NATS:
            return _over_nats(settings, store)
        case Backend.MEMORY:
            return _Transport(InMemoryJobQueue(store), JobBroker())
    queue = DatabaseJobQueue(database, store, poll_interval=settings.poll_interval)
    return _Transport(queue, JobBroker())


def _over_nats(settings: Settings, store: JobStore) -> _Transport:
    # Only where NATS is used: its client is megabytes that others need not load.
    from framework_m.adapters.jobs.jetstream_broker import JetStreamBroker  # noqa: PLC0415
    from framework_m.adapters.jobs.taskiq_adapter import TaskiqJobQueueAdapter  # noqa: PLC0415
    from framework_m.adapters.nats.connection import NatsConnection  # noqa: PLC0415

    nats = NatsConnection(_nats_options(settings))
    broker = JetStreamBroker(
        nats,
        settings.nats_prefix,
        _stream_limits(settings),
        # Delivered sooner it would only meet a live lease, later it would wait for nothing.
        ack_wait=settings.lease,
    )
    return _Transport(TaskiqJobQueueAdapter(broker, store), broker, nats)


def _stream_limits(settings: Settings) -> StreamLimits:
    from framework_m.adapters.nats.streams import StreamLimits  # noqa: PLC0415 - as above

    return StreamLimits(settings.nats_replicas, settings.nats_in_memory, settings.nats_max_bytes)


def _nats_options(settings: Settings) -> NatsOptions:
    from framework_m.adapters.nats.connection import NatsOptions  # noqa: PLC0415 - as above

    return NatsOptions(
        servers=settings.nats_servers,
        user=settings.nats_user,
        password=_revealed(settings.nats_password),
        token=_revealed(settings.nats_token),
        nkey_seed_file=settings.nats_nkey_seed_file,
        credentials_file=settings.nats_credentials_file,
        tls_ca_file=settings.nats_tls_ca_file,
        tls_certificate_file=settings.nats_tls_certificate_file,
        tls_key_file=settings.nats_tls_key_file,
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def shown_nats(settings: Settings) -> str:
    """The NATS servers for people; empty if this backend uses none."""
    if settings.effective_backend is not Backend.NATS:
        return ""
    return _nats_options(settings).shown()


def asgi(application: ApplicationProtocol) -> Litestar:
    """The application as a Litestar application of its own."""
    # Web processes only: a worker need not load a web framework.
    from framework_m.adapters.web.app import build  # noqa: PLC0415

    return build(application)
