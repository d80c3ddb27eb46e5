"""Limits: how many runs at once, and how often, over all workers.

Each limit of a function, and of each value of its key, is a gate that a job passes when it is
claimed. What finds its gate closed waits there, out of everybody's way, until it opens.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from framework_m.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from framework_m.core.interfaces.job_store import NewJob
    from framework_m.core.jobs.registry import RegisteredJob

_LONGEST_KIND = 64
_LONGEST_REST = 180
_LONGEST_SPAN = 10 * 366 * 86400.0
_SMOOTH = 0.1
"""Seconds' worth of runs that may start together, where no burst is given: claims are made some
times a second, and what could not start in between would be lost."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One limit, of one function or queue, and of one value of its key."""

    name: str
    most: int | None = None
    """How many may run at once."""
    interval: float = 0.0
    """Seconds between two starts, on average; 0 is no limit."""
    burst: int = 1
    """How many may start together after a pause."""

    @property
    def size(self) -> int:
        """How many may pass at the very first."""
        return self.burst if self.most is None else self.most

    @property
    def tolerance(self) -> float:
        """How many seconds early a start may be (GCRA: the limit tau)."""
        return self.interval * (self.burst - 1)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` runs at once, over all workers.

    key: the names of arguments: at most so many for each value of them.

    Counted are jobs that are Running. After the death of a worker its jobs count until they are
    rescued; a timed-out thread counts no longer, though it may still be at work.
    """

    limit: int
    key: str | tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Tells its gates from those of the function's other limits."""
        return f"limit:{_comma(self.key)}"

    def gate(self, name: str) -> Gate:
        return Gate(name, most=self.limit)

    def problem(self) -> str | None:
        return None if _is_count(self.limit) else "limit must be a whole number from 1"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` starts in `per` (seconds or a timedelta), over all workers, evenly spaced.

    burst: how many may start together after a pause; by default a tenth of a second's worth, and
        at least one.
    key: the names of arguments: at most so many for each value of them.

    Every start counts, also of another attempt. The generic cell rate algorithm (GCRA, ITU-T
    I.371): in any span of time T start at most `burst + limit * T / per` runs.
    """

    limit: int
    per: float | timedelta = 1.0
    burst: int | None = None
    key: str | tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return self.per.total_seconds() if isinstance(self.per, timedelta) else float(self.per)

    @property
    def kind(self) -> str:
        """Tells its gates from those of the function's other limits."""
        return f"rate/{self.seconds:g}:{_comma(self.key)}"

    def gate(self, name: str) -> Gate:
        burst = self.burst or max(1, int(self.limit * _SMOOTH / self.seconds))
        return Gate(name, interval=self.seconds / self.limit, burst=burst)

    def problem(self) -> str | None:
        if not _is_count(self.limit):
            return "limit must be a whole number from 1"
        if not _is_span(self.per):
            return "per must be above 0 seconds"
        if self.burst is not None and not _is_count(self.burst):
            return "burst must be a whole number from 1"
        gate = self.gate("")
        if gate.interval * gate.burst > _LONGEST_SPAN:
            return "per, times burst over limit, must be at most ten years"
        return None


Limit = Concurrency | Rate


def checked_limits(job: str, limits: Sequence[Limit], arguments: Sequence[str]) -> None:
    """Raises ConfigurationError if one makes no sense, or two are about the same."""
    seen: set[str] = set()
    for limit in limits:
        problem = limit.problem()
        unknown = [name for name in names_of(limit.key) if name not in arguments]
        if unknown:
            problem = f"key: the job has no argument {', '.join(unknown)}"
        elif problem is None and limit.kind in seen:
            problem = "another limit is about the same"
        if problem:
            raise ConfigurationError(f"job {job!r}, limits, {limit!r}: {problem}")
        seen.add(limit.kind)


def names_of(key: str | tuple[str, ...]) -> tuple[str, ...]:
    """The arguments that a key is made of."""
    return (key,) if isinstance(key, str) else key


def gate_name(job: str, limit: Limit, values: Mapping[str, Any]) -> str:
    """`values`: of the arguments in its key, as JSON has them."""
    texts = [json.dumps(values[name], sort_keys=True) for name in names_of(limit.key)]
    rest = ":".join([job, *texts])
    if len(rest) > _LONGEST_REST:
        rest = _digest(rest)
    return _prefix(limit) + rest


class Functions(Protocol):
    """Where job functions are found: the registry."""

    def find(self, name: str) -> RegisteredJob | None: ...


class NoFunctions:
    def find(self, name: str) -> None:
        return None


class Limits:
    """Which gates a job has to pass, by the functions and queues that this process knows."""

    def __init__(
        self, registry: Functions, queue_limit: Callable[[str], int | None] = lambda _: None
    ) -> None:
        self._registry = registry
        self._queue_limit = queue_limit

    @classmethod
    def none(cls) -> Limits:
        """Of a process that knows no function."""
        return cls(NoFunctions())

    def knows(self, job_name: str) -> bool:
        return self._registry.find(job_name) is not None

    def concern(self, job_name: str, queue: str) -> bool:
        """Whether there is any for such a job. As a rule there is not: this is asked of all."""
        job = self._registry.find(job_name)
        return bool(job is not None and job.limits) or self._queue_limit(queue) is not None

    def keyed(self, job_name: str, args: str) -> tuple[str, ...]:
        """The gates of a new job that depend on its arguments (JSON text); kept with the job."""
        job = self._registry.find(job_name)
        if job is None or not any(limit.key for limit in job.limits):
            return ()
        return tuple(
            gate_name(job_name, limit, job.arguments.chosen(args, names_of(limit.key)))
            for limit in job.limits
            if limit.key
        )

    def gates(self, job_name: str, queue: str, keyed: Sequence[str]) -> tuple[Gate, ...]:
        """What it has to pass: the narrowest first, so that who waits, waits there."""
        job = self._registry.find(job_name)
        found = []
        if job is not None and job.limits:
            found = [
                limit.gate(name)
                for name in keyed
                for limit in job.limits
                if limit.key and name.startswith(_prefix(limit))
            ]
            found += [
                limit.gate(gate_name(job_name, limit, {})) for limit in job.limits if not limit.key
            ]
        most = self._queue_limit(queue)
        if most is not None:
            found.append(Gate(f"queue:{queue}", most=most))
        return tuple(found)


def lined_up(jobs: Sequence[NewJob], limits: Limits) -> Sequence[NewJob]:
    """Of jobs that are asked for together, who would only find a gate full waits there at once.

    Those that fill it let the next ones in; unique jobs may come to nothing, so nobody waits for
    them. In the order of priority, then as they come.
    """
    if len(jobs) == 1:
        return jobs
    passing: Counter[str] = Counter()
    blocked: dict[str, str] = {}
    for job in sorted(jobs, key=attrgetter("priority")):
        if job.delay is not None or job.due_at is not None:
            continue
        gates = limits.gates(job.job_name, job.queue, job.gates)
        full = next((gate for gate in gates if passing[gate.name] >= gate.size), None)
        if full is not None:
            blocked[job.job_id] = full.name
        elif job.unique is None:
            passing.update(gate.name for gate in gates)
    if not blocked:
        return jobs
    return [replace(job, blocked_on=blocked.get(job.job_id)) for job in jobs]


def _prefix(limit: Limit) -> str:
    """Begins the names of its gates, and of no other limit's of the function."""
    kind = limit.kind
    return f"{kind if len(kind) <= _LONGEST_KIND else _digest(kind)}:"


def _digest(text: str) -> str:
    return f"#{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def _comma(key: str | tuple[str, ...]) -> str:
    return ",".join(names_of(key))


def _is_span(value: object) -> bool:
    if isinstance(value, timedelta):
        return value > timedelta()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < math.inf


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
