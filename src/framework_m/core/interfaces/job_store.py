"""Port: the JobLog rows, which decide everything about a job (invariant 2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from framework_m.core.causes import NO_CAUSE, Cause
from framework_m.core.identity import User
from framework_m.core.interfaces.job_reading import JobReading
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol
    from framework_m.core.jobs.unique import UniqueLock
    from framework_m.core.wakeup import Wakeup


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is enqueued. `args` is JSON text."""

    job_id: str
    job_name: str
    queue: str
    args: str
    max_attempts: int
    priority: int = 2
    """From 1, the most urgent, to 4."""
    user: User | None = None
    cause: Cause = NO_CAUSE
    tags: tuple[str, ...] = ()
    retry_of: str | None = None
    """The finished job that it runs again."""
    gates: tuple[str, ...] = ()
    """The limits per key that it has to pass: see core.jobs.limits."""
    unique: UniqueLock | None = None
    """What keeps others out."""
    blocked_on: str | None = None
    """The gate at which it waits from the start: others of the same call fill it."""
    delay: timedelta | None = None
    """How long it waits from now, by the database's clock."""
    due_at: datetime | None = None
    """When it may run. Without either it may at once."""
    ready_since: datetime | None = None
    """It may at once, and was due then already: the time that it takes its turn by."""
    schedule: str | None = None
    """The schedule that enqueues it."""
    due_time: datetime | None = None
    """The schedule's due time that it is for."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What the queue needs to know of a job: never its arguments."""

    job_id: str
    job_name: str
    queue: str
    priority: int
    claim_no: int = 0
    """How often the job had been claimed when this was said: tells stale news from fresh."""
    again: str = ""
    """Marks a dispatch that must not be taken for a repetition of an earlier one."""
    due_at: datetime | None = None
    """When it may be delivered; None is at once."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one worker to run a job once, for as long as its lease is renewed."""

    job_id: str
    job_name: str
    queue: str
    args: str
    attempt: int
    max_attempts: int
    claim_no: int
    enqueued_at: datetime
    started_at: datetime
    priority: int = 2
    rescues: int = 0
    """How often its worker has died since it last came to an end of its own."""
    user: User | None = None
    cause: Cause = NO_CAUSE
    """Where the job comes from: its parent, its correlation id, its trace."""
    gates: tuple[str, ...] = ()
    """The limits whose places it takes while it runs."""
    schedule: str | None = None
    """The schedule that enqueued it."""
    due_at: datetime | None = None
    """The schedule's due time that it is for."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """How one run ended, under the claim it ran with. `result` is JSON text."""

    job_id: str
    claim_no: int
    status: JobStatus
    result: str | None = None
    error: str | None = None
    traceback: str | None = None
    retry_after: timedelta | None = None
    """With a waiting status: how long from now the next attempt is due."""
    spends_attempt: bool = True
    """False if this run does not count towards the job's attempts."""
    blocked_on: str | None = None
    """With a waiting status: the gate that it waits for, instead of a time."""
    gates: tuple[str, ...] = ()
    """The limits in which it leaves a place."""


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """The latest progress of one run; `percent` is 0 to 100."""

    job_id: str
    claim_no: int
    percent: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that a run said; numbered per run, from 0."""

    job_id: str
    claim_no: int
    number: int
    at: datetime
    level: str
    message: str
    logger: str | None = None
    """The name of the `logging` logger that it came through."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """What became of some jobs whose worker died."""

    ready: Sequence[Dispatch]
    """They may run again."""
    poison: Sequence[str]
    """They have killed too many workers, and are Failed."""
    cancelled: Sequence[str]
    """They had been asked to stop."""


@dataclass(frozen=True, slots=True)
class Room:
    """A gate at which jobs wait though there is room."""

    gate: str
    places: int
    first: str
    """The job that waits longest."""
    is_rate: bool
    is_limited: bool = True
    """False if the limit itself is gone."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """What a look at the gates has found."""

    rooms: Sequence[Room]
    wait: timedelta | None
    """How long until the next rate has time again; None if nobody waits for one."""
    after: str
    """Where to look on; empty at the end."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What came of a wish to cancel jobs; those that do not exist are in none of it."""

    waited: frozenset[str]
    """They are Cancelled now."""
    asked: frozenset[str]
    """They run, and their workers will hear of it."""
    ended: Mapping[str, JobStatus]
    """They had ended already."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Claims that a worker holds, and should let go of."""

    cancelled: frozenset[str]
    """Their job was asked to stop."""
    deleted: frozenset[str]
    """Their job is gone."""
    lost: frozenset[str]
    """Somebody else has claimed their job."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands that could not be claimed."""

    status: JobStatus
    lease_left: timedelta | None
    """Of a running job; zero if it has lapsed."""
    is_expected: bool
    """Whether it waits for this message: it is due, or the queue was told of it.

    Then somebody else is at it this moment, or its queue is paused.
    """


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """Who claims, from which queues in which order, and for how long a lease."""

    worker: str
    queues: tuple[str, ...]
    lease: timedelta


Publish = Callable[[Sequence[Dispatch]], Awaitable[None]]


class JobStore(JobReading, Protocol):
    """Keeps the jobs.

    Limits and pauses are decided where jobs are claimed. A job that finds a gate closed is not
    claimed, waits there, and is made ready when a place becomes free: `tell_ready` is told of it,
    after the commit.

    Every write of a run names its `claim_no`, the fencing token, and does nothing where the row
    has another: a worker that lost its lease cannot overwrite its successor.
    Raises: DatabaseUnavailableError (retry later), SchemaOutdatedError. Nothing else.
    """

    tell_ready: Callable[[Sequence[Dispatch]], Awaitable[None]] | None
    """Called with jobs that a claim or an outcome has let through a gate."""
    rates_closed: Wakeup
    """Called when a job has begun to wait for a rate limit, which opens by itself."""

    async def insert(self, unit: UnitOfWorkProtocol, jobs: Sequence[NewJob]) -> Sequence[str]:
        """Write new jobs in the caller's transaction; the id of each.

        Its own, or that of the job whose unique lock keeps it out: then nothing was written.
        Where that one is part of another transaction, this waits until that has ended.
        """

    async def claim_due(self, terms: ClaimTerms, limit: int) -> Sequence[Claim]:
        """Claim up to `limit` due jobs of queues that are not paused. Committed on return.

        Queue by queue as the terms list them; of each the most urgent first, then the oldest.
        """

    async def claim(self, terms: ClaimTerms, job_ids: Collection[str]) -> Sequence[Claim]:
        """Claim those of the named jobs that are due and whose queue is not paused.

        The others are left alone.
        """

    async def finish(self, runs: Sequence[FinishedRun]) -> frozenset[str]:
        """Record outcomes; the ids of those that still held their claim. Twice is harmless.

        A job that was asked to stop and did not succeed is Cancelled.
        """

    async def cancel(self, unit: UnitOfWorkProtocol, job_ids: Collection[str]) -> Cancelled:
        """End those of these jobs that wait, and ask the running ones to stop.

        In the caller's transaction. Whatever becomes of a run that was asked to stop, its job
        does not run again.
        """

    async def delete(self, unit: UnitOfWorkProtocol, job_ids: Collection[str]) -> frozenset[str]:
        """Remove these jobs with all that is kept of them; the ids of those that were there.

        In the caller's transaction. What still runs of them is stopped by its worker.
        """

    async def watch(self, held: Mapping[str, int]) -> Watched:
        """How things stand with `{job_id: claim_no}`, other than well."""

    async def release(self, claims: Sequence[Claim]) -> None:
        """Give claims back unrun, at once and without spending an attempt."""

    async def renew(self, held: Mapping[str, int], terms: ClaimTerms) -> frozenset[str]:
        """Extend the leases of `{job_id: claim_no}`; the ids that are no longer held."""

    async def start_alone(self, claim: Claim) -> bool:
        """Note that this job runs with no other in its process; False if the claim was lost.

        Until its next claim, the death of its worker is its own doing.
        """

    async def rescue(self, limit: int, *, patience: timedelta, max_rescues: int) -> Rescue:
        """Make jobs whose lease has lapsed ready again, and keep what happened as an attempt.

        One that was running alone when its worker died, for the `max_rescues`th time, is Failed
        instead. Raises DatabaseUnavailableError too if it had to wait longer than `patience` for
        its turn to write: then nobody could renew a lease meanwhile, and that it lapsed says
        nothing.
        """

    async def unblock(
        self, gates: Collection[str], limit: int, *, older_than: timedelta
    ) -> Sequence[Dispatch]:
        """Make jobs ready that have been blocked on one of these gates for that long."""

    async def look_at_gates(self, after: str) -> GateReport:
        """Find gates with room at which jobs wait, beyond the gate `after`; some at a time."""

    async def let_through(self, places: Mapping[str, int]) -> Sequence[Dispatch]:
        """Make the first jobs ready that wait at these gates, so many at each.

        The claim decides whether they pass: too many are harmless.
        """

    async def forget_rates(self, limit: int) -> int:
        """Forget rates that nobody has used for a while; how many that were."""

    async def say(self, lines: Sequence[LogLine]) -> None:
        """Keep what runs said, in the order given; nothing of runs that lost their claim.

        Twice is harmless.
        """

    async def report(self, reports: Sequence[ProgressReport]) -> None:
        """Store progress."""

    async def standings(self, job_ids: Collection[str]) -> Mapping[str, Standing]:
        """How these jobs stand now; those that do not exist are left out."""

    async def relay_undispatched(
        self, publish: Publish, limit: int, *, older_than: timedelta
    ) -> int:
        """Publish due jobs that no queue has been told of, and note it; how many.

        Committed at least that long ago. Processes that do it at once share the work where the
        database lets them (PostgreSQL), else may publish twice, which is harmless.
        """

    async def waiting_since(self, older_than: timedelta) -> Sequence[str]:
        """The queues in which a due job was dispatched that long ago and not claimed.

        Without paused ones: nobody would have claimed it there.
        """

    async def lost(self, queue: str, limit: int, *, older_than: timedelta) -> Sequence[Dispatch]:
        """Those jobs of one queue, to be dispatched again; noted as dispatched now."""

    async def mark_dispatched(self, jobs: Sequence[Dispatch]) -> None:
        """Note that the queue has these for good.

        Not of a job that was claimed since: what it waits for now is another dispatch.
        """

    async def forget_dispatches(self) -> None:
        """The queue has lost its messages: every waiting job is undispatched again."""

    async def next_due(self, queues: Sequence[str]) -> timedelta | None:
        """How long until the next waiting job is due; None if none waits.

        Those of paused queues wait for more than their time, and do not count.
        """

    async def has_work(self, queues: Sequence[str], worker: str) -> bool:
        """Whether a job of these queues is due, or left by a dead worker; or is run by this one.

        At one moment: a job that is claimed meanwhile is in one of these states or the other.
        """
