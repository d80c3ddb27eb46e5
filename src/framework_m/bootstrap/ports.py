"""Ports: one application's adapters, chosen and connected to each other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from framework_m.adapters.db import migrations
from framework_m.adapters.db.application_migrations import ApplicationMigrations
from framework_m.adapters.db.engine import Database
from framework_m.adapters.db.job_log_store import JobLogStore
from framework_m.adapters.db.repositories import DocumentRepositories
from framework_m.adapters.db.tables import Tables
from framework_m.adapters.jobs.broker import JobBroker
from framework_m.adapters.jobs.ports import WorkerPorts
from framework_m.adapters.jobs.worker import run_worker, worker
from framework_m.core.access.gate import Gate
from framework_m.core.doctypes.base import DocType
from framework_m.core.errors import UnavailableError
from framework_m.core.events.hosting import HandlerHost
from framework_m.core.events.service import Events
from framework_m.core.interfaces.application import Check
from framework_m.core.jobs.emptiness import Emptiness
from framework_m.core.jobs.gates import GateOpener
from framework_m.core.jobs.parking import Unparker
from framework_m.core.jobs.queue_order import QueueOrder
from framework_m.core.jobs.queue_states import QueueStates
from framework_m.core.jobs.queues import Queues
from framework_m.core.jobs.retention import Retention
from framework_m.core.jobs.service import Jobs
from framework_m.core.jobs.workers import Workers
from framework_m.core.outage import Outage, every
from framework_m.core.outbox.event_relay import EventRelay
from framework_m.core.outbox.relay import Relay
from framework_m.core.scheduling.schedules import Schedules
from framework_m.core.scheduling.upkeep import Upkeep
from framework_m.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from pydantic import BaseModel
    from sqlalchemy.ext.asyncio import AsyncSession

    from framework_m.adapters.db.event_log import EventLog
    from framework_m.adapters.events.nats_event_bus import NatsEventBusAdapter
    from framework_m.adapters.jobs.jetstream_broker import JetStreamBroker
    from framework_m.adapters.nats.connection import NatsConnection
    from framework_m.adapters.nats.streams import StreamReport
    from framework_m.adapters.scheduling.jetstream_scheduler import JetStreamScheduler
    from framework_m.core.identity import User
    from framework_m.core.interfaces.job_queue import JobQueueProtocol
    from framework_m.core.interfaces.job_store import JobStore
    from framework_m.core.interfaces.replays import ReplayStore
    from framework_m.core.interfaces.repository import Repository
    from framework_m.core.interfaces.schedule_store import ScheduleStore
    from framework_m.core.interfaces.scheduler import SchedulerProtocol
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory
    from framework_m.core.interfaces.worker_store import WorkerStore
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.metrics import Metrics
    from framework_m.core.transaction import Transaction

D = TypeVar("D", bound=DocType)
logger = logging.getLogger(__name__)

_PRUNED_AT_ONCE = 1000
_PRUNING_INTERVAL = 60.0
_UPKEEP_INTERVAL = 60.0
_UNLIMITED = 1_000_000
"""Jobs at once: more than any process can hold."""


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
    broker: JobBroker
    """The application's own, which is there before and after the ports."""
    job_streams: JetStreamBroker | None
    """What carries jobs over NATS."""
    relay: Relay
    jobs: Jobs
    queues: Queues
    queue_states: QueueStates
    worker_store: WorkerStore
    schedules: Schedules
    schedule_store: ScheduleStore
    scheduler: SchedulerProtocol
    upkeep: Upkeep
    nats: NatsConnection | None
    tables: Tables
    repositories: DocumentRepositories
    migrations: ApplicationMigrations
    access: Gate
    replays: ReplayStore
    retention: Retention
    events: Events
    event_relay: EventRelay
    event_log: EventLog
    handlers: HandlerHost
    metrics: Metrics

    @property
    def workers(self) -> Workers:
        return Workers(self.worker_store)

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

    async def wait_until_ready(self, stop: asyncio.Event) -> None:
        """Start once the database answers and has this version's schema; return, or at `stop`."""
        outage = Outage("start")
        while not stop.is_set():
            try:
                await self.require_schema()
                await self.start()
            except UnavailableError as error:
                await outage.wait(error, stop)
                continue
            outage.over()
            return

    @contextlib.asynccontextmanager
    async def handling(self, drained: asyncio.Event) -> AsyncIterator[None]:
        """What a worker does for events and schedules, until it is drained."""
        async with contextlib.AsyncExitStack() as handling:
            await handling.enter_async_context(self.handlers.broadcasts())
            await handling.enter_async_context(self.handlers.groups())
            await handling.enter_async_context(self._scheduling())
            leaving = asyncio.create_task(_close_on(drained, handling), name="event handlers")
            try:
                yield
            finally:
                drained.set()
                await leaving

    @contextlib.asynccontextmanager
    async def _scheduling(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        running = asyncio.create_task(self.scheduler.run(stop), name="scheduler")
        try:
            yield
        finally:
            stop.set()
            await running

    @contextlib.asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """What every process does for what was committed and not handed over."""
        stop = asyncio.Event()
        sweeping = asyncio.create_task(self._sweep_until(stop), name="relay")
        try:
            yield
        finally:
            stop.set()
            await sweeping

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """What a web process does beside serving."""
        async with self.sweeping(), self.handlers.broadcasts(), self.broker.serving():
            yield

    async def _sweep_until(self, stop: asyncio.Event) -> None:
        await self.wait_until_ready(stop)
        interval = self.settings.sweep_interval
        await asyncio.gather(
            every(_UPKEEP_INTERVAL, self.upkeep.declare, stop, who="declared schedules"),
            every(interval, self.relay.sweep, stop, who="relay"),
            every(interval, self.event_relay.sweep, stop, who="event relay"),
            every(_PRUNING_INTERVAL, self.prune_events, stop, who="pruning of events"),
        )

    async def start(self) -> None:
        await self.job_queue.start()
        await self.events.bus.start()

    async def close(self) -> None:
        await self.event_relay.close()
        await self.events.bus.close()
        await self.relay.close()
        await self.scheduler.close()
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

    async def create_schema(self) -> None:
        """In an empty database: what `migrate` makes, and tables of DocTypes without revisions."""
        await migrations.create(self.database)
        await self.migrations.upgrade()
        await self.migrations.create_missing()

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
        if self.job_streams is None:
            return []
        bus = cast("NatsEventBusAdapter", self.events.bus)
        scheduler = cast("JetStreamScheduler", self.scheduler)
        return [
            *await self.job_streams.report_streams(),
            await scheduler.report_stream(),
            await bus.report_stream(),
        ]

    @contextlib.asynccontextmanager
    async def worker(self, order: QueueOrder | None = None) -> AsyncIterator[None]:
        """A worker in this process, for as long as the block lasts, or until it has drained."""
        drained = asyncio.Event()
        working = worker(self._worker_ports(), order, drained=drained)
        async with self.sweeping(), self.handling(drained), working:
            yield

    async def run_worker(
        self,
        stop: asyncio.Event,
        order: QueueOrder | None = None,
        name: str | None = None,
        *,
        until: Emptiness | None = None,
        drained: asyncio.Event | None = None,
    ) -> int:
        """The same until `stop`, or until there is nothing left to do; how many runs it began."""
        drained, ports = drained or asyncio.Event(), self._worker_ports()
        async with self.sweeping(), self.handling(drained):
            return await run_worker(ports, stop, order, name=name, until=until, drained=drained)

    def emptiness(self) -> Emptiness:
        return Emptiness(self.job_store, self.event_relay, self.handlers, self.schedule_store)

    async def is_empty(self, order: QueueOrder | None = None) -> bool:
        """Whether nothing is left to do for a worker that would start now."""
        emptiness, order = self.emptiness(), order or self._order
        try:
            await emptiness.mend(
                Unparker(self.job_store, self.relay, self.jobs.registry),
                GateOpener(self.job_store, self.relay, self.settings.sweep_interval),
            )
            return await emptiness.is_empty(order.queues, "", lambda: 0)
        except UnavailableError:
            return False  # a worker waits, and says so

    @property
    def _order(self) -> QueueOrder:
        return self.settings.queue_order or QueueOrder.of(self.jobs.registry.queues)

    def _worker_ports(self) -> WorkerPorts:
        settings = self.settings
        return WorkerPorts(
            registry=self.jobs.registry,
            store=self.job_store,
            queue=self.job_queue,
            broker=self.broker,
            relay=self.relay,
            services=self,
            lease_store=self._lease_store,
            lease=timedelta(seconds=settings.lease),
            stop_grace=settings.stop_grace,
            sweep_interval=settings.sweep_interval,
            concurrency=settings.concurrency or _UNLIMITED,
            max_rescues=settings.max_rescues,
            log_lines=settings.job_log_lines,
            job_processes=settings.job_processes,
            queue_states=self.queue_states,
            worker_store=self.worker_store,
            heartbeat_interval=settings.heartbeat_interval,
            order=self._order,
        )

    @contextlib.asynccontextmanager
    async def _lease_store(self) -> AsyncIterator[JobStore]:
        database = self.database.alone()
        try:
            yield JobLogStore(database)
        finally:
            await database.close()


async def _close_on(event: asyncio.Event, stack: contextlib.AsyncExitStack) -> None:
    await event.wait()
    await stack.aclose()
