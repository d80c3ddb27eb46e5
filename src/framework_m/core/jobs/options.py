"""Options: of a job function, and of one run of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from framework_m.core import clock
from framework_m.core.errors import ArgumentError, ConfigurationError, FieldError
from framework_m.core.jobs.control import LONGEST_WAIT
from framework_m.core.jobs.executors import JobExecutor
from framework_m.core.jobs.limits import Limit
from framework_m.core.jobs.priority import Priority, priority_of
from framework_m.core.jobs.retry import BackoffFunction, Errors
from framework_m.core.jobs.unique import Unique
from framework_m.core.text import storable

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_NAME = 255
_MOST_TAGS = 20
_LONGEST_TAG = 64


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What `@job` was given. None means the setting's default."""

    queue: str = "default"
    retries: int | None = None
    timeout: float | None = None
    backoff: BackoffFunction | None = None
    retry_on: Errors = ()
    discard_on: Errors = ()
    executor: JobExecutor | None = None
    """None: the event loop for coroutine functions, a thread for others."""
    priority: int = Priority.NORMAL
    limits: tuple[Limit, ...] = ()
    unique: Unique | None = None
    http: bool = False
    """Whether it may be asked for over HTTP."""
    roles: frozenset[str] = frozenset()
    """Who may, beside System Manager."""
    cron: str | None = None
    """When a schedule of its own enqueues it."""
    timezone: str = "UTC"
    """What that goes by."""

    def checked(self) -> JobOptions:
        """Itself. Raises ConfigurationError if the options make no sense."""
        if self.retries is not None and self.retries < 0:
            raise ConfigurationError(f"@job(retries={self.retries}): cannot be negative")
        if self.timeout is not None and not self.timeout > 0:
            raise ConfigurationError(f"@job(timeout={self.timeout}): must be above 0 seconds")
        if self.roles and not self.http:
            raise ConfigurationError("@job(roles=…): is about requests over HTTP: add http=True")
        if not is_queue_name(self.queue):
            raise ConfigurationError(f"@job(queue={self.queue!r}): {_QUEUE_RULE}")
        if priority_of(self.priority) is None:
            raise ConfigurationError(f"@job(priority={self.priority!r}): {_PRIORITY_RULE}")
        return self


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How one run is asked for, beside its arguments. None means: as the function says."""

    delay: timedelta | None = None
    at: datetime | None = None
    queue: str | None = None
    retries: int | None = None
    tags: tuple[str, ...] = ()
    correlation_id: str | None = None
    priority: int | None = None
    unique_key: str | None = None
    unique_to: str | None = None
    """The id of the user whose own the unique key is."""

    def checked(self, job_name: str) -> RunOptions:
        """Itself. Raises ArgumentError that names each option which makes no sense."""
        problems = [FieldError(*problem) for problem in self._problems()]
        if problems:
            raise ArgumentError(job_name, problems)
        return self

    @property
    def due_at(self) -> datetime | None:
        """When it may run, if that was given as a time and lies ahead."""
        return self.at if self.at is not None and self.at > clock.now() else None

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.delay is not None and self.at is not None:
            yield "at", "cannot be given together with delay"
        if self.delay is not None and not timedelta() <= self.delay <= LONGEST_WAIT:
            yield "delay", f"must be from 0 to {LONGEST_WAIT.days} days"
        if self.at is not None and self.at.utcoffset() is None:
            yield "at", "must be an aware datetime"
        elif self.at is not None and self.at - clock.now() > LONGEST_WAIT:
            yield "at", f"must be within {LONGEST_WAIT.days} days"
        if self.queue is not None and not is_queue_name(self.queue):
            yield "queue", _QUEUE_RULE
        if self.retries is not None and not 0 <= self.retries < 2**31 - 1:
            yield "retries", "cannot be negative"
        if self.priority is not None and priority_of(self.priority) is None:
            yield "priority", _PRIORITY_RULE
        yield from self._problems_of_words()

    def _problems_of_words(self) -> Iterator[tuple[str, str]]:
        if len(self.tags) > _MOST_TAGS or not all(
            0 < len(tag) <= _LONGEST_TAG for tag in self.tags
        ):
            yield "tags", f"must be at most {_MOST_TAGS} of 1 to {_LONGEST_TAG} characters"
        if self.correlation_id is not None and not 0 < len(self.correlation_id) <= _LONGEST_NAME:
            yield "correlation_id", f"must be of 1 to {_LONGEST_NAME} characters"
        if self.unique_key is not None and not len(storable(self.unique_key)) > 0:
            yield "unique_key", "cannot be empty"


NO_OPTIONS = RunOptions()
_PRIORITY_RULE = "must be from 1, the most urgent, to 4: see Priority"
_QUEUE_RULE = "a queue's name is 1 to 64 letters, digits, _ or -"


def is_queue_name(text: str) -> bool:
    """Queue names become part of NATS subjects and of command lines, so they stay plain."""
    plain = text.replace("_", "").replace("-", "")
    return 0 < len(text) <= 64 and (not plain or (plain.isascii() and plain.isalnum()))


def delay_of(job_name: str, wait: float | timedelta) -> timedelta:
    """A wait given in seconds or as a timedelta. Raises ArgumentError."""
    if isinstance(wait, timedelta):
        return wait
    if not math.isfinite(wait) or abs(wait) > LONGEST_WAIT.total_seconds():
        raise ArgumentError(
            job_name, [FieldError("delay", f"must be from 0 to {LONGEST_WAIT.days} days")]
        )
    return timedelta(seconds=wait)
