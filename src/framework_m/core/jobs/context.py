"""JobContext: what a running job knows of itself, may tell about itself, and may use."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from framework_m.core.context import ServiceContext, Services
from framework_m.core.interfaces.job_store import Claim, ProgressReport
from framework_m.core.jobs.cancellation import Cancellation
from framework_m.core.jobs.run_log import RunLog
from framework_m.core.text import storable

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime

    from framework_m.core.identity import User


class ProgressSink(Protocol):
    """Takes progress, from any thread; only the latest report of a run is kept."""

    def report(self, report: ProgressReport) -> None: ...


JobServices = Services


class Said:
    """Already done; may be awaited, need not be."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_SAID = Said()


class JobContext(ServiceContext):
    """Given to a job function whose first parameter is annotated with it."""

    __slots__ = ("_cancellation", "_claim", "_log", "_sink")

    # taskiq reads these annotations at run time: a dependency may ask for the context.
    def __init__(
        self,
        claim: Claim,
        log: RunLog,
        sink: ProgressSink,
        services: JobServices,
        cancellation: Cancellation,
    ) -> None:
        super().__init__(services)
        self._cancellation = cancellation
        self._claim = claim
        self._log = log
        self._sink = sink

    @property
    def job_id(self) -> str:
        """UUIDv7; the same in every attempt."""
        return self._claim.job_id

    @property
    def job_name(self) -> str:
        return self._claim.job_name

    @property
    def queue(self) -> str:
        return self._claim.queue

    @property
    def attempt(self) -> int:
        """1 on the first try."""
        return self._claim.attempt

    @property
    def max_attempts(self) -> int:
        return self._claim.max_attempts

    @property
    def schedule(self) -> str | None:
        """The name of the schedule that enqueued it."""
        return self._claim.schedule

    @property
    def due_at(self) -> datetime | None:
        """Of a schedule's job the due time that it is for, in UTC; the same in every attempt.

        Where somebody has the schedule's job run at another time, the moment of asking.
        """
        return self._claim.due_at

    @property
    def enqueued_at(self) -> datetime:
        return self._claim.enqueued_at

    @property
    def started_at(self) -> datetime:
        """When this attempt was claimed."""
        return self._claim.started_at

    @property
    def user(self) -> User | None:
        """Who enqueued it, with the roles held then; None for the system.

        The job acts as this user: documents that it saves are stamped with the id.
        """
        return self._claim.user

    @property
    def user_id(self) -> str | None:
        return None if self._claim.user is None else self._claim.user.id

    @property
    def parent_id(self) -> str | None:
        """The job that enqueued it."""
        return self._claim.cause.job_id

    @property
    def correlation_id(self) -> str:
        """Shared by all jobs that go back to one."""
        return self._claim.cause.correlation_id or self._claim.job_id

    @property
    def trace_context(self) -> str | None:
        """The W3C traceparent of whoever enqueued it."""
        return self._claim.cause.trace_context

    def progress(self, n: float, total: float | None = None, message: str | None = None) -> Said:
        """Say how far the job is: `n` of `total`, or `n` percent without a total.

        Cheap enough for an inner loop: reports are coalesced and stored a few times a second.
        From any thread. May be awaited.
        """
        percent = n if total is None else (100 * n / total if total else 100.0)
        bounded = min(100.0, max(0.0, float(percent)))
        told = None if message is None else storable(message)
        self._sink.report(ProgressReport(self.job_id, self._claim.claim_no, bounded, told))
        return _SAID

    def check_cancelled(self) -> None:
        """Raise Cancel if the run is not wanted any more; from any thread.

        Because the job was cancelled, ran out of time, or its worker stops. A coroutine is
        interrupted where it awaits; code in a thread has to ask now and then.
        """
        self._cancellation.check()

    def log(self, message: str, level: int = logging.INFO) -> Said:
        """Keep a line with the job. So is what `logging` passes on inside it.

        From any thread; may be awaited. Lines are stored a few times a second, at most
        `FRAMEWORK_M_JOB_LOG_LINES` of a run.
        """
        self._log.add(message, level)
        return _SAID
