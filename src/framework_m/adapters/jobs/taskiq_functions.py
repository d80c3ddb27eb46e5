"""An existing application's taskiq functions, as job functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from taskiq import AsyncTaskiqDecoratedTask, TaskiqMiddleware
from taskiq.kicker import AsyncKicker
from taskiq.task import AsyncTaskiqTask
from taskiq.utils import maybe_awaitable

from framework_m.adapters.jobs.taskiq_labels import WrongLabelError, read
from framework_m.core.discovery import modules_below
from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.function import JobFunction
from framework_m.core.jobs.options import JobOptions
from framework_m.core.jobs.priority import Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from taskiq import AsyncBroker

    from framework_m.adapters.jobs.broker import JobBroker

P = ParamSpec("P")
R = TypeVar("R")

_RENAMED = "__taskiq_original"
"""What taskiq adds to the name of a function that it decorates."""


class Decorated(AsyncTaskiqDecoratedTask[Any, Any]):
    """What `@app.broker.task` makes of a function.

    taskiq's own renames the user's function and plants it in its module; this one does not.
    """

    def __init__(  # super().__init__ is what is left out
        self,
        broker: AsyncBroker,
        task_name: str,
        original_func: Callable[..., Any],
        labels: dict[str, Any],
        return_type: type[Any] | None = None,
    ) -> None:
        self.broker = broker
        self.original_func = original_func
        self.labels = dict(labels)
        self.return_type = return_type
        self.task_name = _name(self.labels.pop("name", None), task_name, original_func)

    def kicker(self) -> JobKicker:
        return JobKicker(self.task_name, self.broker, dict(self.labels), self.return_type)


class JobKicker(AsyncKicker[Any, Any]):
    """taskiq's own, less the way through JSON and back, and with our errors as they are."""

    broker: JobBroker

    async def kiq(self, *args: Any, **kwargs: Any) -> Any:
        """Ask for a run; in the transaction of the context, if there is one.

        Raises what `app.enqueue` does.
        """
        message = self._prepare_message(*args, **kwargs)
        if self.broker.middlewares:
            # Before any of them: what pre_send begins, only post_send ends.
            self.broker.require_sound(message)
        for middleware in self.broker.middlewares:
            if type(middleware).pre_send is not TaskiqMiddleware.pre_send:
                message = await maybe_awaitable(middleware.pre_send(message))
        handle = await self.broker.enqueue(message)
        for middleware in reversed(self.broker.middlewares):
            if type(middleware).post_send is not TaskiqMiddleware.post_send:
                await maybe_awaitable(middleware.post_send(message))
        return AsyncTaskiqTask(
            task_id=handle.job_id,
            result_backend=self.broker.result_backend,
            return_type=self.return_type,
        )

    def with_broker(self, broker: AsyncBroker) -> AsyncKicker[Any, Any]:
        """To be sent by another broker, as taskiq does it."""
        other: AsyncKicker[Any, Any] = AsyncKicker(
            self.task_name, broker, self.labels, self.return_type
        )
        return other.with_task_id(self.custom_task_id)

    @classmethod
    def _prepare_arg(cls, arg: Any) -> Any:
        """As it is: it is checked against the function's types, and written as they say."""
        return arg


class TaskiqFunction(JobFunction[Any, Any]):
    """A job function that taskiq has decorated. Its labels are its options."""

    def __init__(self, decorated: AsyncTaskiqDecoratedTask[Any, Any], default_retries: int) -> None:
        """Raises ConfigurationError that names function and label."""
        function = decorated.original_func
        name = _name(decorated.labels.get("name"), decorated.task_name, function)
        super().__init__(function, name, _options(decorated, name, default_retries))

    @property
    def place(self) -> str:
        return super().place.replace(_RENAMED, "")


def decorated_in(
    modules: Iterable[str], own: Iterable[AsyncTaskiqDecoratedTask[Any, Any]]
) -> Iterator[AsyncTaskiqDecoratedTask[Any, Any]]:
    """Its own broker's, and whatever the modules hold, of any broker; each once."""
    found: dict[int, AsyncTaskiqDecoratedTask[Any, Any]] = {id(it): it for it in own}
    for module in modules_below(modules):
        for value in list(vars(module).values()):
            if isinstance(value, AsyncTaskiqDecoratedTask):
                found.setdefault(id(value), value)
    yield from found.values()


def _options(
    decorated: AsyncTaskiqDecoratedTask[Any, Any], name: str, default_retries: int
) -> JobOptions:
    try:
        said = read(decorated.labels, default_retries)
    except WrongLabelError as wrong:
        raise ConfigurationError(f"job {name!r}: the label {wrong}") from wrong
    return JobOptions(
        queue=said.queue or "default",
        retries=said.retries or 0,  # taskiq's default: none
        timeout=said.timeout,
        priority=said.priority or Priority.NORMAL,
        retry_on=said.retry_on,
    ).checked()


def _name(label: object, task_name: str, function: Callable[..., Any]) -> str:
    """What its jobs are called: the label `name`, if it has one."""
    if label is None:
        return task_name
    if isinstance(label, str) and label:
        return label
    where = getattr(function, "__qualname__", function)
    raise ConfigurationError(f"job {where}: the label name={label!r}: must be a text")
