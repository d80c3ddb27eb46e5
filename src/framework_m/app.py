"""FrameworkM: what an application holds."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any, Self, TypeVar

from framework_m.contents import Contents
from framework_m.core.discovery import home_of
from framework_m.core.doctypes.base import DocType
from framework_m.core.errors import ConfigurationError
from framework_m.core.interfaces.application import Check, WebOptions
from framework_m.core.jobs.queue_order import WantedQueues, order_of
from framework_m.settings import MADE_INTO_PARTS, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from litestar import Litestar
    from pydantic import BaseModel
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

    from framework_m.adapters.jobs.broker import JobBroker
    from framework_m.bootstrap import Ports
    from framework_m.core.access.gate import Gate
    from framework_m.core.doctypes.registry import DocTypeRegistry
    from framework_m.core.doctypes.scheduled_job import ScheduledJob
    from framework_m.core.errors import FieldError
    from framework_m.core.events.registry import HandlerRegistry
    from framework_m.core.events.service import Events
    from framework_m.core.identity import User
    from framework_m.core.interfaces.replays import ReplayStore
    from framework_m.core.interfaces.repository import Repository
    from framework_m.core.jobs.function import JobCall, JobFunction
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.queues import Queues
    from framework_m.core.jobs.registry import JobRegistry
    from framework_m.core.jobs.retention import Retention
    from framework_m.core.jobs.service import Jobs
    from framework_m.core.jobs.workers import Workers
    from framework_m.core.metrics import Metrics
    from framework_m.core.scheduling.schedules import Schedules
    from framework_m.core.transaction import Transaction

D = TypeVar("D", bound=DocType)


class FrameworkM:
    """One application: its modules, its settings and, while it is open, its ports.

        app = FrameworkM(modules=["shop.jobs"])

        async with app, app.worker():
            await build_report.enqueue(month="2026-11")

    modules: imported when the application opens, with all modules below them; the job functions,
        DocTypes and controllers in them become this application's.
    settings: read from the environment when not given.
    engine: an SQLAlchemy engine on PostgreSQL that the application has already, to share its
        connections. It stays the application's to dispose of. Workers have some of their own.
    """

    def __init__(
        self,
        modules: Iterable[str] = (),
        *,
        settings: Settings | None = None,
        engine: AsyncEngine | None = None,
    ) -> None:
        self.modules = tuple(modules)
        self._settings = settings
        self._engine = engine
        self._contents: Contents | None = None
        self._broker: JobBroker | None = None
        self._ports: Ports | None = None
        self._openings = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asgi: Litestar | None = None

    @property
    def settings(self) -> Settings:
        """The settings; the environment is read once, at first use."""
        if self._settings is None:
            self._settings = Settings(**self._of_engine())
        return self._settings

    def _of_engine(self) -> dict[str, Any]:
        if self._engine is None:
            return {}
        return {"database_url": self._engine.url.render_as_string(hide_password=False)}

    def change_settings(self, **changes: Any) -> None:
        """Replace some settings; before the application opens, not after."""
        if self._ports is not None:
            raise ConfigurationError("settings cannot change while the application is open")
        self._settings = Settings(**{**dict(self.settings), **changes})

    @contextlib.contextmanager
    def isolated(self, **changes: Any) -> Iterator[None]:
        """Other settings, and nobody else's engine, for as long as the block lasts: for tests.

        What was made of those that change is made anew. Raises ConfigurationError if it is open.
        """
        if self._ports is not None:
            raise ConfigurationError("the application is open already: it cannot be isolated")
        before, made = (self._settings, self._engine), (self._contents, self._asgi)
        given = {} if self._settings is None else dict(self._settings)
        self._settings, self._engine = Settings(**{**given, **changes}), None
        if is_anew := not changes.keys().isdisjoint(MADE_INTO_PARTS):
            self._contents = self._asgi = None
        try:
            yield
        finally:
            self._settings, self._engine = before
            if is_anew:
                self._contents, self._asgi = made

    @property
    def contents(self) -> Contents:
        """What its modules hold; they are imported at first use of a part.

        Every part raises ConfigurationError: a module does not import, what it has is wrong.
        """
        if self._contents is None:
            self._contents = Contents(self.modules, self.settings)
        return self._contents

    @property
    def registry(self) -> JobRegistry:
        """The job functions, the framework's own among them."""
        contents, registry = self.contents, self.contents.jobs
        # Without taskiq, nothing was decorated with it.
        if not contents.is_adopted and (self._broker is not None or "taskiq" in sys.modules):
            contents.is_adopted = True
            self.broker.adopt(registry)
        return registry

    @property
    def broker(self) -> JobBroker:
        """The application's own taskiq broker; there before the application is open.

        For what is written for taskiq: `@app.broker.task`, `add_middlewares`, `on_event`,
        dependencies. Its workers are this application's, its results the jobs' records.
        """
        if self._broker is None:
            from framework_m.bootstrap import application_broker  # noqa: PLC0415 - loads taskiq

            self._broker = application_broker(self)
            if self._contents is not None and self._contents.has_jobs:
                _ = self.registry  # which has them know each other
        return self._broker

    @property
    def is_open(self) -> bool:
        """Whether it has its ports."""
        return self._ports is not None

    @property
    def doctypes(self) -> DocTypeRegistry:
        """The DocTypes and their controllers, the framework's own among them."""
        return self.contents.doctypes

    @property
    def handlers(self) -> HandlerRegistry:
        """The event handlers."""
        return self.contents.handlers

    @property
    def ports(self) -> Ports:
        """The adapters in use. Raises ConfigurationError while the application is closed."""
        if self._ports is None:
            raise ConfigurationError("the application is not open: use `async with app:`")
        return self._ports

    @property
    def jobs(self) -> Jobs:
        """Enqueue, look up and list jobs."""
        return self.ports.jobs

    @property
    def queues(self) -> Queues:
        """Pause and resume queues, and see how they stand."""
        return self.ports.queues

    @property
    def workers(self) -> Workers:
        """Who works, in all processes, and how to send them home."""
        return self.ports.workers

    @property
    def events(self) -> Events:
        """Publish, subscribe, and look after dead letters."""
        return self.ports.events

    @property
    def web_options(self) -> WebOptions:
        """How it is served: the settings that are about HTTP."""
        return self.settings.web_options

    @property
    def schedules(self) -> Schedules:
        """Look at schedules, pause them, run them now, and see what became of them."""
        return self.ports.schedules

    @property
    def metrics(self) -> Metrics:
        """What this process has counted since it began; `/metrics` shows it."""
        return self.ports.metrics

    @property
    def access(self) -> Gate:
        """Tokens, API keys and sessions."""
        return self.ports.access

    @property
    def replays(self) -> ReplayStore:
        """What requests with an Idempotency-Key have led to."""
        return self.ports.replays

    @property
    def retention(self) -> Retention:
        """Remove what is old, as the job `framework_m.prune_jobs` does."""
        return self.ports.retention

    @property
    def asgi(self) -> Litestar:
        """The Litestar application, for any ASGI server; it opens and closes this one."""
        if self._asgi is None:
            from framework_m.bootstrap import asgi  # noqa: PLC0415 - only where it is served

            self._asgi = asgi(self)
        return self._asgi

    async def __aenter__(self) -> Self:
        """Open the application. Connects when first used; opening twice is counted.

        Raises ConfigurationError if it is open in another event loop, as that of a test client.
        """
        if self._openings and self._loop is not asyncio.get_running_loop():
            raise ConfigurationError(
                "it is open in another event loop: use httpx.ASGITransport, not AsyncTestClient"
            )
        if self._openings == 0:
            self._loop = asyncio.get_running_loop()
            from framework_m.bootstrap import bootstrap  # noqa: PLC0415 - loads the vendors

            self.broker.require_fit()
            _ = self.registry  # what the broker knows, too, is among its functions then
            self._ports = bootstrap(
                self.settings,
                self.contents,
                home_of(self.modules),
                self.broker,
                engine=self._engine,
            )
            for job in self.registry:
                job.function.opened(self._ports.jobs)
            self.broker.opened(self._ports.jobs)
        self._openings += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._openings -= 1
        if self._openings:
            return
        ports, self._ports, self._loop = self.ports, None, None
        self.broker.closed()
        for job in self.registry:
            job.function.closed(ports.jobs)
        await ports.close()

    async def enqueue(self, job_name: str, /, **kwargs: Any) -> JobHandle[Any]:
        """Ask for a run by name: `app.jobs.enqueue`."""
        return await self.jobs.enqueue(job_name, **kwargs)

    async def enqueue_many(self, calls: Iterable[JobCall[Any]]) -> Sequence[JobHandle[Any]]:
        """Ask for many runs at once, of any functions: `app.jobs.enqueue_many`."""
        return await self.jobs.enqueue_many(calls)

    async def schedule(
        self, job: JobFunction[..., Any] | str, cron: str, **options: Any
    ) -> ScheduledJob:
        """Have a job enqueued at its times: `app.schedules.schedule`."""
        return await self.schedules.schedule(job, cron, **options)

    async def publish(self, event: BaseModel, topic: str | None = None) -> None:
        """Publish an event, in the transaction of the context or on its own: `app.events`."""
        await self.events.publish(event, topic)

    @contextlib.asynccontextmanager
    async def transaction(
        self, *, session: AsyncSession | None = None
    ) -> AsyncIterator[Transaction]:
        """One transaction: what is saved and enqueued in its block commits or vanishes together.

        Inside another transaction of this context it is a savepoint: an error that leaves the
        block undoes the block only.

        session: an SQLAlchemy session whose transaction to join. It stays the session's to
            commit; what is enqueued in the block runs if it does, and never existed if not.
        """
        async with self.ports.transaction(session) as tx:
            yield tx

    def faults(self, document: DocType) -> Sequence[FieldError]:
        return self.ports.repositories.faults(document)

    def repository(self, doctype: type[D], *, as_user: User | None = None) -> Repository[D]:
        """The documents of one DocType, in the transaction of the context.

        Where there is none, each call commits one of its own. Raises UnknownDocTypeError.

        as_user: do what this user's roles allow and nothing else. What the user may not read is
            NotFoundError and in no list, what may be read and not changed is ForbiddenError.
            Without a user, the program is trusted.
        """
        return self.ports.repository(doctype, as_user=as_user)

    @contextlib.asynccontextmanager
    async def worker(self, queues: WantedQueues = None) -> AsyncIterator[None]:
        """Run jobs in this process for as long as the block lasts.

        queues: which, and how they take turns: a `QueueOrder`, `"critical:4,default"` or
            `["critical:4", "default"]`; by default those of the settings, or all that functions
            name.

        Waits for the database and its schema first. Leaving the block stops gracefully: running
        jobs may finish within `FRAMEWORK_M_STOP_GRACE` seconds, others go back at once.
        """
        order = order_of(queues)
        async with self:
            await self.wait_until_ready()
            async with self.ports.worker(order):
                yield

    async def run_worker(
        self,
        stop: asyncio.Event,
        queues: WantedQueues = None,
        *,
        name: str | None = None,
        drained: asyncio.Event | None = None,
    ) -> None:
        """Run jobs until `stop`, then stop gracefully. Waits for the database first.

        Returns, too, when the worker was drained (see `app.workers`); then `drained` was set.

        name: what the worker is called; by default after its host and process.
        """
        order = order_of(queues)
        async with self:
            await self.wait_until_ready(stop)
            if not stop.is_set():
                await self.ports.run_worker(stop, order, name, drained=drained)

    async def run_until_empty(
        self,
        queues: WantedQueues = None,
        *,
        stop: asyncio.Event | None = None,
        name: str | None = None,
    ) -> int:
        """Run jobs until nothing is left to do now; how many runs that were.

        Left to do is what is due in these queues, also if it was enqueued meanwhile or let through
        a limit, and the events that groups of this application have to handle. What waits for
        its time (Scheduled, Retrying, a rate limit) and paused queues are left alone.
        At once if there is nothing. `stop` ends it earlier, gracefully.
        """
        order, stop = order_of(queues), stop or asyncio.Event()
        async with self:
            await self.wait_until_ready(stop)
            if stop.is_set() or await self.ports.is_empty(order):
                return 0
            return await self.ports.run_worker(stop, order, name, until=self.ports.emptiness())

    async def migrate(self) -> None:
        """Bring the database's schema to this version. Raises UnavailableError."""
        async with self:
            await self.ports.migrate()

    async def wait_until_ready(self, stop: asyncio.Event | None = None) -> None:
        """Return when the database answers and has this version's schema, or at `stop`."""
        await self.ports.wait_until_ready(stop or asyncio.Event())

    async def readiness(self) -> Sequence[Check]:
        if self._ports is None:
            return [Check("application", ok=False, detail="not open")]
        return await self._ports.readiness()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Open, with the relay sweeping, for as long as a web process serves.

        Event handlers without a group hear events meanwhile.
        """
        async with self, self.ports.serving():
            yield
