"""@job: marks a function as a job function. Discovery collects what is marked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.context import JobContext
from framework_m.core.jobs.executors import JobExecutor
from framework_m.core.jobs.function import JobFunction
from framework_m.core.jobs.limits import Limit
from framework_m.core.jobs.options import JobOptions
from framework_m.core.jobs.priority import Priority
from framework_m.core.jobs.retry import BackoffFunction, Errors
from framework_m.core.jobs.unique import Unique

P = ParamSpec("P")
R = TypeVar("R")


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
    executor: JobExecutor | None = None,
    priority: int = Priority.NORMAL,
    limits: Iterable[Limit] = (),
    unique: Unique | bool = False,
    backoff: BackoffFunction | None = None,
    retry_on: type[BaseException] | Errors = (),
    discard_on: type[BaseException] | Errors = (),
    http: bool = False,
    roles: Iterable[str] = (),
    cron: str | None = None,
    timezone: str = "UTC",
) -> _Decorator: ...
def job(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    queue: str = "default",
    retries: int | None = None,
    timeout: float | None = None,
    executor: JobExecutor | None = None,
    priority: int = Priority.NORMAL,
    limits: Iterable[Limit] = (),
    unique: Unique | bool = False,
    backoff: BackoffFunction | None = None,
    retry_on: type[BaseException] | Errors = (),
    discard_on: type[BaseException] | Errors = (),
    http: bool = False,
    roles: Iterable[str] = (),
    cron: str | None = None,
    timezone: str = "UTC",
) -> Any:
    """Mark a function as a job function, bare or with options.

    The function stays callable as it is. If its first parameter is annotated `JobContext`, the
    worker fills it.

    name: what the job is called in records and over HTTP; the function's name by default.
        Renaming strands jobs that wait under the old name.
    queue: which workers may run it.
    retries: how often it is tried again after an error (`FRAMEWORK_M_JOB_RETRIES`, 3).
    timeout: seconds that one attempt may take (`FRAMEWORK_M_JOB_TIMEOUT`, 300).
    executor: where it runs: "async", in the worker's event loop, as coroutine functions do;
        "thread", as plain ones do; or "process", for plain functions that keep a processor busy or
        may have to be stopped by force. Such a one has no services of the application.
    priority: which of the queue's jobs go first: `Priority.URGENT`, NORMAL, LOW or BULK.
    limits: how many runs at once, and how often, over all workers: `Concurrency(2)`,
        `Concurrency(1, key="customer")`, `Rate(10, per=60)`. Who finds one closed holds no slot.
    unique: only one job with the same arguments at a time: asking for another returns the first.
        `Unique(by=("invoice",))` looks at some arguments, and has states and a period.
    backoff: the wait before another attempt: `Backoff(min=…, max=…)`, or a function of the attempt
        that failed (from 1) and its error that returns seconds or a timedelta.
    retry_on: the errors worth another attempt; every Exception by default. Name the passing ones:
        a time-out, a lost connection, a full queue elsewhere.
    discard_on: errors that are not, though `retry_on` has them. Name the lasting ones: a malformed
        address, a document that is gone, a refused login.
    http: whether it may be asked for over HTTP; functions that do not say so are unknown there.
    roles: who may do that, beside the role System Manager.
    cron: when a schedule enqueues it, without arguments: "0 9 * * 1-5"; see `cron` for more.
    timezone: the IANA name of the zone that this goes by.

    Raises ConfigurationError for options that make no sense.
    """
    options = JobOptions(
        queue=queue,
        retries=retries,
        timeout=timeout,
        executor=executor,
        priority=priority,
        limits=tuple(limits),
        unique=Unique() if unique is True else unique or None,
        backoff=backoff,
        retry_on=_errors(retry_on),
        discard_on=_errors(discard_on),
        http=http,
        roles=_roles(roles),
        cron=cron,
        timezone=timezone,
    )
    decorator = _Decorator(name, options.checked())
    return decorator if function is None else decorator(function)


def _errors(given: type[BaseException] | Errors) -> Errors:
    errors = given if isinstance(given, tuple) else (given,)
    for error in errors:
        kind: object = error  # callers without a type checker name instances, too
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ConfigurationError(f"@job: {error!r} is no exception class")
    return errors


def _roles(given: Iterable[str]) -> frozenset[str]:
    if isinstance(given, str):
        raise ConfigurationError(f"@job(roles={given!r}): is one text; write a list of roles")
    return frozenset(given)
