"""What is expected of the jobs that were enqueued."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from framework_m.core.errors import ArgumentError, FieldError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.jobs.registry import RegisteredJob

from framework_m.testing.errors import described

_TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Expectation:
    """A job that is expected; what is None, or not among the arguments, may be anything."""

    job: RegisteredJob
    args: Mapping[str, Any]
    queue: str | None = None
    priority: int | None = None
    tags: Collection[str] = ()
    delay: timedelta | None = None
    user_id: str | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.args if name not in self.job.arguments.names]
        if unknown:
            misfits = [FieldError(name, "is not an argument of this job") for name in unknown]
            raise ArgumentError(self.job.name, misfits)

    def is_met_by(self, job: JobLog) -> bool:
        """Whether this is such a job."""
        return (
            job.job_name == self.job.name
            and self.queue in (None, job.queue)
            and self.priority in (None, job.priority)
            and self.user_id in (None, job.user_id)
            and set(self.tags) <= set(job.tags)
            and self._has_delay(job)
            and self._has_args(job)
        )

    def __str__(self) -> str:
        args = ", ".join(f"{name}={value!r}" for name, value in self.args.items())
        options = {
            "queue": self.queue,
            "priority": self.priority,
            "tags": sorted(self.tags) or None,
            "delay": self.delay,
            "user_id": self.user_id,
        }
        told = [f"{name} {value}" for name, value in options.items() if value is not None]
        return ", ".join([f"{self.job.name}({args})", *told])

    def _has_delay(self, job: JobLog) -> bool:
        if self.delay is None:
            return True
        return abs(job.scheduled_at - job.enqueued_at - self.delay) < _TOLERANCE

    def _has_args(self, job: JobLog) -> bool:
        """Compared in the function's own types."""
        if not self.args:
            return True
        found = self.job.arguments.load(json.dumps(job.args))
        absent = object()
        return all(found.get(name, absent) == value for name, value in self.args.items())


def complaint(expected: Expectation, met: int, times: int | None, jobs: Sequence[JobLog]) -> str:
    """What is wrong, and what was enqueued instead: those of the same function first."""
    wanted = "at least once" if times is None else f"{times} times"
    others = sorted(jobs, key=lambda job: job.job_name != expected.job.name)
    lines = [f"  {_line(job)}" for job in others] or ["  nothing"]
    return "\n".join(
        [f"expected {wanted}, was enqueued {met} times: {expected}", "there was:", *lines]
    )


def _line(job: JobLog) -> str:
    told = f"{described(job)}, queue {job.queue}, {job.status}"
    if job.scheduled_at > job.enqueued_at:
        told += f", due {job.scheduled_at - job.enqueued_at} later"
    return f"{told}, tags {', '.join(job.tags)}" if job.tags else told
