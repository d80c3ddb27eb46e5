"""The job functions of one application, found in its modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from framework_m.core.discovery import modules_below
from framework_m.core.errors import ConfigurationError, DuplicateJobError, UnknownJobError
from framework_m.core.jobs.arguments import Arguments
from framework_m.core.jobs.executors import JobExecutor
from framework_m.core.jobs.function import JobFunction
from framework_m.core.jobs.limits import Limit, checked_limits
from framework_m.core.jobs.names import RESERVED_PREFIX, is_reserved
from framework_m.core.jobs.retry import Backoff, RetryPolicy
from framework_m.core.jobs.unique import checked_unique

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class RegisteredJob:
    """A job function with its options resolved."""

    function: JobFunction[..., Any]
    arguments: Arguments
    policy: RetryPolicy
    timeout: float
    is_built_in: bool = False
    """Whether it is the framework's own."""

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def executor(self) -> JobExecutor:
        return self.function.executor

    @property
    def limits(self) -> tuple[Limit, ...]:
        return self.function.defaults.limits

    @property
    def max_attempts(self) -> int:
        return self.policy.max_attempts

    @property
    def queue(self) -> str:
        return self.function.defaults.queue


class JobRegistry:
    """Job functions by name.

    built_in: those of the framework's own, which are there before any is discovered.
    """

    def __init__(
        self,
        *,
        default_retries: int,
        default_timeout: float,
        built_in: Iterable[JobFunction[..., Any]] = (),
    ) -> None:
        self.default_retries = default_retries
        self.default_timeout = default_timeout
        self.modules: tuple[str, ...] = ()
        self._jobs: dict[str, RegisteredJob] = {
            function.name: self._resolve(function, is_built_in=True) for function in built_in
        }

    def __iter__(self) -> Iterator[RegisteredJob]:
        """By name; the framework's own last."""
        return iter(sorted(self._jobs.values(), key=lambda job: (job.is_built_in, job.name)))

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def own(self) -> Sequence[RegisteredJob]:
        """The application's own, by name: all but the framework's."""
        return [job for job in self if not job.is_built_in]

    def add(self, function: JobFunction[..., Any]) -> None:
        """Register it; the same function twice is harmless.

        Raises DuplicateJobError; ConfigurationError for a name that is the framework's to give.
        """
        known = self._jobs.get(function.name)
        if known is not None and known.function is function:
            return
        if is_reserved(function.name):
            raise ConfigurationError(
                f"job {function.name!r} at {function.place}: names that begin with "
                f"{RESERVED_PREFIX!r} are the framework's own; choose another"
            )
        if known is not None:
            raise DuplicateJobError(function.name, known.function.place, function.place)
        self._jobs[function.name] = self._resolve(function)

    def discover(self, modules: Iterable[str]) -> None:
        """Import the modules, and the packages' modules below them, and register what they hold.

        Raises ConfigurationError for a module that does not import, DuplicateJobError.
        """
        self.modules = (*self.modules, *modules)
        for module in modules_below(self.modules):
            for value in list(vars(module).values()):
                if isinstance(value, JobFunction):
                    self.add(value)

    def get(self, name: str) -> RegisteredJob:
        """The job of that name. Raises UnknownJobError, with the nearest name."""
        try:
            return self._jobs[name]
        except KeyError:
            raise UnknownJobError(name, self._jobs) from None

    def find(self, name: str) -> RegisteredJob | None:
        return self._jobs.get(name)

    def is_built_in(self, name: str) -> bool:
        """Whether the job of that name is the framework's own."""
        found = self.find(name)
        return found is not None and found.is_built_in

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that a function names, and the default one."""
        return tuple(sorted({"default", *(job.queue for job in self._jobs.values())}))

    def _resolve(
        self, function: JobFunction[..., Any], *, is_built_in: bool = False
    ) -> RegisteredJob:
        options = function.defaults
        retries = self.default_retries if options.retries is None else options.retries
        timeout = self.default_timeout if options.timeout is None else options.timeout
        arguments = Arguments(function.name, function.function)
        if options.unique is not None:
            checked_unique(function.name, options.unique, arguments.names)
        checked_limits(function.name, options.limits, arguments.names)
        if function.executor == "process" and arguments.has_dependencies:
            raise ConfigurationError(
                f"job {function.name!r} runs in a process, where dependencies cannot be resolved: "
                f"give it what it needs as arguments, or run it in a thread"
            )
        policy = RetryPolicy(
            retries + 1,
            options.backoff or Backoff(),
            options.retry_on or (Exception,),
            options.discard_on,
        )
        return RegisteredJob(function, arguments, policy, timeout, is_built_in)
