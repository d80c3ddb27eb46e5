"""JobBroker: the taskiq broker that our receiver works on.

taskiq's fault that is mended here (0.13): `custom_dependency_context` is one dict that every run
updates, so that a dependency resolved late can receive another run's Context.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from taskiq import AsyncBroker, AsyncTaskiqDecoratedTask

from framework_m.core.errors import ConfigurationError
from framework_m.core.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from taskiq import BrokerMessage

    from framework_m.adapters.jobs.ports import WorkerPorts


class _Registered(AsyncTaskiqDecoratedTask[Any, Any]):
    """taskiq's own renames the user's function and plants it in its module; this one does not."""

    def __init__(  # super().__init__ is what is left out
        self,
        broker: AsyncBroker,
        task_name: str,
        original_func: Callable[..., Any],
        labels: dict[str, Any],
        return_type: type[Any] | None = None,
    ) -> None:
        self.broker = broker
        self.task_name = task_name
        self.original_func = original_func
        self.labels = labels
        self.return_type = return_type


class JobBrokerMixin(AsyncBroker):
    """What every broker of ours does, whatever carries its messages."""

    ports: WorkerPorts

    def prepare(self) -> None:
        """After taskiq's own constructor."""
        self.decorator_class = _Registered
        self.id_generator = uuid7
        self.run_dependencies: ContextVar[dict[Any, Any]] = ContextVar("run_dependencies")

    def bind(self, ports: WorkerPorts) -> None:
        """Give it the application's jobs to run."""
        self.ports = ports
        for job in ports.registry:
            self.register_task(job.function.function, task_name=job.name)

    @property
    def custom_dependency_context(self) -> dict[Any, Any]:
        """A copy for each run, with what is the run's own."""
        return {**self._dependency_context, **self.run_dependencies.get({})}

    @custom_dependency_context.setter
    def custom_dependency_context(self, context: dict[Any, Any]) -> None:
        self._dependency_context = context

    def add_dependency_context(self, new_ctx: dict[Any, Any]) -> None:
        self._dependency_context.update(new_ctx)

    async def kick(self, message: BrokerMessage) -> None:
        """taskiq's way to enqueue: the same as `app.enqueue`, under taskiq's own id."""
        parsed = self.formatter.loads(message.message)
        await self.ports.enqueue(parsed.task_name, parsed.args, parsed.kwargs, parsed.task_id)

    def listen(self) -> AsyncGenerator[Any, None]:
        """Refused: a message alone gives no right to run a job, a claim does."""
        raise ConfigurationError(
            "run this broker with --receiver framework_m.adapters.jobs.receiver:JobReceiver"
        )

    async def run_startup_handlers(self) -> None:
        await AsyncBroker.startup(self)

    async def run_shutdown_handlers(self) -> None:
        await AsyncBroker.shutdown(self)


class JobBroker(JobBrokerMixin):
    """For the queues that live in this process or in the database."""

    def __init__(self) -> None:
        super().__init__()
        self.prepare()
