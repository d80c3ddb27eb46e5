"""JobBroker: an application's own taskiq broker.

It holds the application's taskiq things: functions, middlewares, event handlers, dependencies,
state. It carries no messages: asking for a run is `app.enqueue`, and a worker claims.

taskiq's fault that is mended here (0.13): `custom_dependency_context` is one dict that every run
updates, so that a dependency resolved late can receive another run's Context.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self

from taskiq import AsyncBroker, Context, TaskiqMessage, TaskiqState
from taskiq_dependencies import DependencyGraph

from framework_m.adapters.jobs.middlewares import require_fit
from framework_m.adapters.jobs.roles import Roles
from framework_m.adapters.jobs.running import asks_to_be_requeued
from framework_m.adapters.jobs.taskiq_functions import Decorated, TaskiqFunction, decorated_in
from framework_m.adapters.jobs.taskiq_labels import labels_of, options_of
from framework_m.adapters.jobs.taskiq_results import JobResults
from framework_m.core.causes import caused_by, current_cause, traceparent
from framework_m.core.errors import ArgumentError, ConfigurationError, FieldError
from framework_m.core.ids import is_uuid, uuid7
from framework_m.core.jobs.context import JobContext
from framework_m.core.jobs.function import JobCall

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from taskiq import AsyncTaskiqDecoratedTask, BrokerMessage
    from taskiq.abc.result_backend import AsyncResultBackend

    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.queue_order import WantedQueues
    from framework_m.core.jobs.registry import JobRegistry, RegisteredJob
    from framework_m.core.jobs.service import Jobs

RECEIVER = "framework_m.adapters.jobs.taskiq_worker:WorkerReceiver"
_HOW_TO_WORK = f"run this broker with `m worker`, or `taskiq worker … --receiver {RECEIVER}`"


class BrokerHost(Protocol):
    """What the broker's receiver needs of the application."""

    @property
    def is_open(self) -> bool: ...

    def change_settings(self, **changes: Any) -> None: ...

    async def run_worker(self, stop: asyncio.Event, queues: WantedQueues = None) -> None: ...


class JobBroker(AsyncBroker):
    """The taskiq broker of one application: `app.broker`, there before the application is open."""

    def __init__(self, host: BrokerHost | None = None) -> None:
        super().__init__()
        self.host = host
        self.decorator_class = Decorated
        self.id_generator = uuid7
        self.result_backend = JobResults(self.jobs)
        self.run_dependencies: ContextVar[dict[Any, Any]] = ContextVar("run_dependencies")
        self._jobs: Jobs | None = None
        self._registry: JobRegistry | None = None
        self._decorated: list[AsyncTaskiqDecoratedTask[Any, Any]] = []
        self._named: dict[str, str] = {}
        self._roles = Roles(self)

    # --- functions

    def adopt(self, registry: JobRegistry) -> None:
        """Make its functions, and those in the application's modules, job functions.

        And the other way round: job functions are found by `find_task`.
        Raises ConfigurationError, DuplicateJobError.
        """
        for decorated in decorated_in(registry.modules, self._decorated):
            self._adopt_one(registry, decorated)
        for job in registry:
            self.local_task_registry.setdefault(
                job.name, Decorated(self, job.name, job.function.function, {})
            )
        self._registry = registry

    def _adopt_one(
        self, registry: JobRegistry, decorated: AsyncTaskiqDecoratedTask[Any, Any]
    ) -> None:
        function = TaskiqFunction(decorated, registry.default_retries)
        registry.add(function)
        if self._jobs is not None:
            function.opened(self._jobs)
        self._named[decorated.task_name] = function.name
        if decorated.broker is not self:
            self.local_task_registry[function.name] = Decorated(
                self,
                function.name,
                decorated.original_func,
                decorated.labels,
                decorated.return_type,
            )

    def _register_task(self, task_name: str, task: AsyncTaskiqDecoratedTask[Any, Any]) -> None:
        if self._registry is not None:
            self._adopt_one(self._registry, task)
        super()._register_task(task_name, task)
        self._decorated.append(task)

    def find_task(self, task_name: str) -> AsyncTaskiqDecoratedTask[Any, Any] | None:
        """A function of this application, also one decorated with `@job`."""
        name = self._named.get(task_name, task_name)
        return self.local_task_registry.get(name)

    def get_all_tasks(self) -> dict[str, AsyncTaskiqDecoratedTask[Any, Any]]:
        """Those of this application: a shared function is one if it lives in its modules."""
        return dict(self.local_task_registry)

    # --- asking for runs

    def opened(self, jobs: Jobs) -> None:
        """The application is open. Raises ConfigurationError."""
        self.require_fit()
        self._jobs = jobs

    def closed(self) -> None:
        self._jobs = None

    def require_fit(self) -> None:
        """Raises ConfigurationError for what would break what we promise."""
        require_fit(self.middlewares)
        if not isinstance(self.result_backend, JobResults):
            _refuse_results()

    def jobs(self) -> Jobs:
        """Of the open application. Raises ConfigurationError."""
        if self._jobs is None:
            raise ConfigurationError(
                "the application of this broker is not open: use `async with app:`"
            )
        return self._jobs

    async def kick(self, message: BrokerMessage) -> None:
        """taskiq's way to enqueue: the same as `app.enqueue`, under taskiq's own id."""
        parsed = self.formatter.loads(message.message)
        if not asks_to_be_requeued(parsed):
            await self.enqueue(parsed)

    async def enqueue(self, message: TaskiqMessage) -> JobHandle[Any]:
        """Ask for the run that a message of taskiq's stands for.

        Raises what `app.enqueue` does; ArgumentError for labels that make no sense, too.
        """
        call, cause = self._call(message), current_cause()
        trace = traceparent(str(message.labels.get("traceparent"))) or cause.trace_context
        with caused_by(replace(cause, trace_context=trace)):
            return await self.jobs().enqueue_as(call, message.task_id)

    def require_sound(self, message: TaskiqMessage) -> None:
        """Raises what `enqueue` would, less what only the database knows."""
        call = self._call(message)
        arguments = self.jobs().registry.get(call.job_name).arguments
        arguments.dump(arguments.bind(call.args, call.kwargs))

    def _call(self, message: TaskiqMessage) -> JobCall[Any]:
        registry = self.jobs().registry
        job = registry.get(self._named.get(message.task_name, message.task_name))
        if not is_uuid(message.task_id):
            problem = FieldError("task_id", "must be a UUID, in lower case and with hyphens")
            raise ArgumentError(job.name, [problem])
        options = options_of(job, labels_of(message), registry.default_retries)
        return JobCall(job.name, tuple(message.args), message.kwargs, options)

    # --- working

    def listen(self) -> AsyncGenerator[Any, None]:
        """Refused: a message alone gives no right to run a job, a claim does."""
        raise ConfigurationError(_HOW_TO_WORK)

    async def startup(self) -> None:
        """Run what is to be run where jobs are asked for; web processes and workers do their own.

        Twice is counted, and once run.
        """
        if self.is_worker_process and not self._roles.is_working:
            raise ConfigurationError(_HOW_TO_WORK)
        await self._roles.client.enter()

    async def shutdown(self) -> None:
        await self._roles.client.leave()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """The event handlers and middlewares of a process that asks for jobs."""
        async with self._roles.client:
            yield

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The event handlers and middlewares of one that runs them. Raises ConfigurationError."""
        self.require_fit()
        async with self._roles.worker:
            yield

    # --- dependencies and results

    @property
    def custom_dependency_context(self) -> dict[Any, Any]:
        """A copy for each run, with what is the run's own."""
        return {**self._dependency_context, **self.run_dependencies.get({})}

    @custom_dependency_context.setter
    def custom_dependency_context(self, context: dict[Any, Any]) -> None:
        self._dependency_context = context

    @contextlib.asynccontextmanager
    async def injected(
        self, job: RegisteredJob, context: JobContext, arguments: Mapping[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        """What a worker would inject into the function, for one call of it in the block."""
        message = TaskiqMessage.model_construct(
            task_id=context.job_id, task_name=job.name, labels={}, args=[], kwargs=dict(arguments)
        )
        known = {**self.custom_dependency_context, TaskiqState: self.state}
        known |= {JobContext: context, Context: Context(message, self)}
        graph = DependencyGraph(job.function.function)
        async with graph.async_ctx(known, self.dependency_overrides or None) as resolver:
            yield await resolver.resolve_kwargs()

    def add_dependency_context(self, new_ctx: dict[Any, Any]) -> None:
        self._dependency_context.update(new_ctx)

    def with_result_backend(self, result_backend: AsyncResultBackend[Any]) -> Self:
        """Refused: the job's record is its result."""
        _refuse_results()


def _refuse_results() -> NoReturn:
    raise ConfigurationError(
        "this broker takes no result backend: a job's record is its result, and wait_result() "
        "reads it; leave with_result_backend() out"
    )
