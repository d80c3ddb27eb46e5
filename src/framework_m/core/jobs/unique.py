"""Unique jobs: an earlier job keeps others of the same key out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.control import LONGEST_WAIT
from framework_m.core.jobs.states import WAITING, JobStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.jobs.arguments import Arguments

UNFINISHED = frozenset({*WAITING, JobStatus.RUNNING})
_WITHIN_A_PERIOD = UNFINISHED | {JobStatus.SUCCESS}
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Unique:
    """Of jobs with the same key only one is there: asking for another returns the first.

    by: the arguments that make the key; all of them if not given. Arguments that are left out
        count with the function's defaults.
    states: in which an earlier job keeps others out: by default until it has ended, and with a
        period unless it failed or was cancelled. All the waiting ones must be among them. Without
        Running another may be asked for once the first has started; a retry of that one is then
        no longer unique. With an ended one and no period: until its record is deleted, which
        somebody has to do: the pruning of old jobs leaves it.
    period: seconds or a timedelta since the earlier one was asked for; later it keeps nobody out.
    """

    by: Collection[str] | None = None
    states: Collection[JobStatus] | None = None
    period: float | timedelta | None = None

    @property
    def kept_out_in(self) -> frozenset[JobStatus]:
        if self.states is not None:
            return frozenset(self.states)
        return UNFINISHED if self.period is None else _WITHIN_A_PERIOD

    @property
    def lasts(self) -> timedelta | None:
        if self.period is None or isinstance(self.period, timedelta):
            return self.period
        return timedelta(seconds=self.period)


@dataclass(frozen=True, slots=True)
class UniqueLock:
    """A new job's claim to be the only one."""

    key: str
    states: frozenset[JobStatus]
    lasts: timedelta | None


def checked_unique(job: str, unique: Unique, arguments: Sequence[str]) -> None:
    """Raises ConfigurationError if it makes no sense for these arguments."""
    problem = _problem(unique, arguments)
    if problem:
        raise ConfigurationError(f"job {job!r}, unique: {problem}")


def _problem(unique: Unique, arguments: Sequence[str]) -> str | None:
    if isinstance(unique.by, str):
        return f"by={unique.by!r} is one text; write a tuple of names"
    unknown = [name for name in unique.by or () if name not in arguments]
    if unknown:
        return f"the job has no argument {', '.join(unknown)}"
    missing = [status.value for status in WAITING if status not in unique.kept_out_in]
    if missing:
        return f"states must have {', '.join(missing)}, too"
    if not all(isinstance(status, JobStatus) for status in unique.kept_out_in):
        return "states are JobStatus values"
    period = unique.period
    seconds = period.total_seconds() if isinstance(period, timedelta) else period
    if seconds is not None and not 0 < seconds <= LONGEST_WAIT.total_seconds():
        return f"period must be above 0 seconds, and at most {LONGEST_WAIT.days} days"
    return None


def unique_lock(
    job: str,
    unique: Unique | None,
    given: str | None,
    arguments: Arguments,
    args: str,
    *,
    of_user: str | None = None,
) -> UniqueLock | None:
    """What keeps others out while this job is there.

    given: the key of the run's own options; it counts instead of the function's.
    args: its arguments, as JSON text.
    of_user: whose own the given key is.
    """
    if given is None and unique is None:
        return None
    rule = unique or Unique()
    parts: list[Any] = [job, given] if of_user is None else [job, given, of_user]
    if given is None:
        names = arguments.names if rule.by is None else tuple(sorted(rule.by))
        parts = [job, arguments.chosen(args, names)]
    # JSON, so that no part can pass for another's end, and any text can be stored.
    key = json.dumps(parts, sort_keys=True)
    if len(key) > _LONGEST_KEY:
        digest = hashlib.sha256(key.encode()).hexdigest()
        key = f"{key[: _LONGEST_KEY - len(digest) - 1]}#{digest}"
    return UniqueLock(key, rule.kept_out_in, rule.lasts)


def unique_lock_of(key: str | None, unique: Unique | None) -> UniqueLock | None:
    """The lock of a job that runs another one again."""
    rule = unique or Unique()
    return None if key is None else UniqueLock(key, rule.kept_out_in, rule.lasts)


_BITS = {
    JobStatus.QUEUED: 1,
    JobStatus.SCHEDULED: 2,
    JobStatus.RUNNING: 4,
    JobStatus.RETRYING: 8,
    JobStatus.SUCCESS: 16,
    JobStatus.FAILED: 32,
    JobStatus.CANCELLED: 64,
}
"""Stored with the jobs: never to be changed."""


def state_bits(states: Collection[JobStatus]) -> int:
    """A set of states as a number, as the database keeps it."""
    return sum(_BITS[status] for status in frozenset(states))
