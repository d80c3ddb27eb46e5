"""When a failed job is tried again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from framework_m.core.errors import ArgumentError, ConfigurationError, ResultError
from framework_m.core.jobs.control import seconds

logger = logging.getLogger(__name__)

_NEVER_RETRIED = (ArgumentError, ResultError)
"""Another try would end the same way."""
_MOST_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential, with full jitter: a random time up to min, 2·min, 4·min … and at most max.

    In seconds. Random from nothing, so that jobs that failed together do not return together.
    After M. Brooker, "Exponential Backoff And Jitter", AWS, 2015.
    """

    min: float = 1.0
    max: float = 600.0

    def __post_init__(self) -> None:
        if not 0 <= self.min <= self.max:
            raise ConfigurationError(f"{self} needs 0 <= min <= max")

    def __call__(self, attempt: int, error: BaseException) -> float:
        """The wait after the failure of `attempt`, from 1."""
        ceiling = min(self.max, self.min * 2 ** min(attempt - 1, _MOST_DOUBLINGS))
        return random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret


BackoffFunction = Callable[[int, BaseException], float | timedelta]
"""Given the attempt that failed, from 1, and its error: how long to wait."""

Errors = tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Whether and when a job that raised is tried again."""

    max_attempts: int
    backoff: BackoffFunction = Backoff()
    retry_on: Errors = (Exception,)
    discard_on: Errors = ()

    def allows(self, error: BaseException) -> bool:
        """Whether this kind of error is worth another attempt."""
        if isinstance(error, (*_NEVER_RETRIED, *self.discard_on)):
            return False
        return isinstance(error, self.retry_on)

    def wait(self, attempt: int, error: BaseException) -> timedelta:
        """How long after the failure of `attempt`. A backoff function that fails is replaced."""
        try:
            return seconds(self.backoff(attempt, error))
        except Exception:
            logger.exception("the backoff function failed; waiting as by default")
            return seconds(Backoff()(attempt, error))
