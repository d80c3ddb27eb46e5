"""@job: marks a function as a job function. Discovery collects what is marked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.context import JobContext
from framework_m.core.jobs.retry import BackoffFunction, Errors

if TYPE_CHECKING:
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.service import Jobs

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What `@job` was given. None means the setting's default."""

    queue: str = "default"
    retries: int | None = None
    timeout: float | None = None
    backoff: BackoffFunction | None = None
    retry_on: Errors = ()
    discard_on: Errors = ()


class JobFunction(Generic[P, R]):
    """A decorated function. Called, it is the function; `enqueue` asks for a run of it."""

    def __init__(self, function: Callable[..., Any], name: str, options: JobOptions) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.options = options
        self._open_in: list[Jobs] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
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

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> JobHandle[R]:
        """Ask for a run.

        Inside a transaction (`async with app.transaction()`) the job is part of it: it runs if
        that commits, and never existed if it rolls back. Elsewhere it is committed on return.
        The job then runs at least once.

        Raises: ArgumentError, DatabaseUnavailableError, ConfigurationError (no open application).
        """
        return await self._jobs().submit(self, args, kwargs)

    def opened(self, jobs: Jobs) -> None:
        """An application that has this function has started."""
        self._open_in.append(jobs)

    def closed(self, jobs: Jobs) -> None:
        """That application has stopped."""
        self._open_in.remove(jobs)

    def _jobs(self) -> Jobs:
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


class _Decorator:
    """`@job(…)` with its options, waiting for the function."""

    def __init__(self, name: str | None, options: JobOptions) -> None:
        self._name = name
        self._options = options

    @overload
    def __call__(
        self, function: Callable[Concatenate[JobContext, P], Awaitable[R]]
    ) -> JobFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Awaitable[R]]) -> JobFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[JobContext, P], R]) -> JobFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> JobFunction[P, R]: ...
    def __call__(self, function: Callable[..., Any]) -> JobFunction[Any, Any]:
        return JobFunction(function, self._name or function.__name__, self._options)


@overload
def job(function: Callable[Concatenate[JobContext, P], Awaitable[R]], /) -> JobFunction[P, R]: ...
@overload
def job(function: Callable[P, Awaitable[R]], /) -> JobFunction[P, R]: ...
@overload
def job(function: Callable[Concatenate[JobContext, P], R], /) -> JobFunction[P, R]: ...
@overload
def job(function: Callable[P, R], /) -> JobFunction[P, R]: ...
@overload
def job(
    *,
    name: str | None = None,
    queue: str = "default",
    retries: int | None = None,
    timeout: float | None = None,
    backoff: BackoffFunction | None = None,
    retry_on: type[BaseException] | Errors = (),
    discard_on: type[BaseException] | Errors = (),
) -> _Decorator: ...
def job(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    queue: str = "default",
    retries: int | None = None,
    timeout: float | None = None,
    backoff: BackoffFunction | None = None,
    retry_on: type[BaseException] | Errors = (),
    discard_on: type[BaseException] | Errors = (),
) -> Any:
    """Mark a function as a job function, bare or with options.

    The function stays callable as it is. If its first parameter is annotated `JobContext`, the
    worker fills it. Plain functions run in a thread.

    name: what the job is called in records and over HTTP; the function's name by default.
        Renaming strands jobs that wait under the old name.
    queue: which workers may run it.
    retries: how often it is tried again after an error (`FRAMEWORK_M_JOB_RETRIES`, 3).
    timeout: seconds that one attempt may take (`FRAMEWORK_M_JOB_TIMEOUT`, 300).
    backoff: the wait before another attempt: `Backoff(min=…, max=…)`, or a function of the attempt
        that failed (from 1) and its error that returns seconds or a timedelta.
    retry_on: the errors worth another attempt; every Exception by default. Name the passing ones:
        a time-out, a lost connection, a full queue elsewhere.
    discard_on: errors that are not, though `retry_on` has them. Name the lasting ones: a malformed
        address, a document that is gone, a refused login.

    Raises ConfigurationError for options that make no sense.
    """
    options = _checked(
        JobOptions(queue, retries, timeout, backoff, _errors(retry_on), _errors(discard_on))
    )
    decorator = _Decorator(name, options)
    return decorator if function is None else decorator(function)


def _checked(options: JobOptions) -> JobOptions:
    if options.retries is not None and options.retries < 0:
        raise ConfigurationError(f"@job(retries={options.retries}): cannot be negative")
    if options.timeout is not None and options.timeout <= 0:
        raise ConfigurationError(f"@job(timeout={options.timeout}): must be above 0 seconds")
    if not is_queue_name(options.queue):
        raise ConfigurationError(
            f"@job(queue={options.queue!r}): a queue's name is 1 to 64 letters, digits, _ or -"
        )
    return options


def _errors(given: type[BaseException] | Errors) -> Errors:
    errors = given if isinstance(given, tuple) else (given,)
    for error in errors:
        kind: object = error  # callers without a type checker name instances, too
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ConfigurationError(f"@job: {error!r} is no exception class")
    return errors


def is_queue_name(text: str) -> bool:
    """Queue names become part of NATS subjects and of command lines, so they stay plain."""
    plain = text.replace("_", "").replace("-", "")
    return 0 < len(text) <= 64 and (not plain or (plain.isascii() and plain.isalnum()))
