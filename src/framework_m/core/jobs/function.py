"""JobFunction: what `@job` makes of a function, and the ways to ask for a run of it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.executors import executor_for
from framework_m.core.jobs.options import NO_OPTIONS, JobOptions, RunOptions, delay_of

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.service import Jobs

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class JobCall(Generic[R]):
    """A run that may be asked for: what `f.call(…)` gives, for `enqueue_many`."""

    job_name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: RunOptions = NO_OPTIONS


class JobRequest(Generic[P, R]):
    """A job function, perhaps with options of its own: what `f.options(…)` gives."""

    def __init__(self, function: JobFunction[P, R], options: RunOptions) -> None:
        self._function = function
        self._options = options

    async def enqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> JobHandle[R]:
        """Ask for a run.

        Inside a transaction (`async with app.transaction()`) the job is part of it: it runs if
        that commits, and never existed if it rolls back. Elsewhere it is committed on return.
        The job then runs at least once.

        Raises: ArgumentError, DatabaseUnavailableError, ConfigurationError (no open application).
        """
        [handle] = await self._function.jobs().enqueue_many([self.call(*args, **kwargs)])
        return handle

    kiq = enqueue
    """taskiq's word for it."""

    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> JobCall[R]:
        """A run to be asked for later, with others: see `enqueue_many`."""
        return JobCall(self._function.name, args, kwargs, self._options)

    async def enqueue_many(self, calls: Iterable[JobCall[R]]) -> Sequence[JobHandle[R]]:
        """Ask for many runs at once, all or none of them; far cheaper than one by one.

        `await f.enqueue_many([f.call(1), f.options(delay=60).call(2)])`. Handles come in the same
        order. Raises as `enqueue` does.
        """
        return await self._function.jobs().enqueue_many(calls)

    def options(
        self,
        *,
        delay: float | timedelta | None = None,
        at: datetime | None = None,
        queue: str | None = None,
        retries: int | None = None,
        tags: Iterable[str] | None = None,
        correlation_id: str | None = None,
        priority: int | None = None,
        unique_key: str | None = None,
    ) -> JobRequest[P, R]:
        """The same function with other options for a run: `f.options(delay=60).enqueue(…)`.

        delay: wait so long first: seconds or a timedelta, by the database's clock. The wait is
            stored: it holds no worker, and survives every restart.
        at: an aware datetime before which it does not start; at once if that has passed.
        queue, retries, priority: instead of the function's own.
        tags: up to 20 words to find it by.
        correlation_id: instead of that of the job which enqueues it, or its own id.

        unique_key: keeps other jobs of this function with the same key out, as long as the
            function's `Unique` says (until it has ended, by default); instead of a key made of
            its arguments. Who asks for another gets the handle of the first.

        Raises ArgumentError that names each option which makes no sense.
        """
        name = self._function.name
        given: dict[str, Any] = {
            "delay": None if delay is None else delay_of(name, delay),
            "at": at,
            "queue": queue,
            "retries": retries,
            "tags": None if tags is None else tuple(tags),
            "correlation_id": correlation_id,
            "priority": priority,
            "unique_key": unique_key,
        }
        changed = {option: value for option, value in given.items() if value is not None}
        return JobRequest(self._function, replace(self._options, **changed).checked(name))

    def unique_to(self, user_id: str) -> JobRequest[P, R]:
        """The same, its `unique_key` this user's own: it meets nobody else's."""
        return JobRequest(self._function, replace(self._options, unique_to=user_id))


class JobFunction(JobRequest[P, R]):
    """A decorated function. Called, it is the function; `enqueue` asks for a run of it."""

    def __init__(self, function: Callable[..., Any], name: str, options: JobOptions) -> None:
        super().__init__(self, NO_OPTIONS)
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.defaults = options
        self.executor = executor_for(function, name, options.executor)
        self._open_in: list[Jobs] = []

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<job {self.name!r} at {self.place}>"

    @property
    def place(self) -> str:
        """Where it is defined, for people."""
        code = inspect.unwrap(self.function).__code__
        return (
            f"{self.function.__module__}:{self.function.__qualname__} (line {code.co_firstlineno})"
        )

    def opened(self, jobs: Jobs) -> None:
        """An application that has this function has started."""
        self._open_in.append(jobs)

    def closed(self, jobs: Jobs) -> None:
        """That application has stopped."""
        self._open_in.remove(jobs)

    def jobs(self) -> Jobs:
        """Of the one open application that has it. Raises ConfigurationError."""
        match self._open_in:
            case [only]:
                return only
            case []:
                raise ConfigurationError(
                    f"job {self.name!r} belongs to no open application: start it with "
                    f"`async with app:`, and name {self.function.__module__} in its modules"
                )
        raise ConfigurationError(
            f"job {self.name!r} belongs to several open applications: "
            f"say which with `app.enqueue({self.name!r}, …)`"
        )
