"""Port: looking at jobs: one, what it said, those that were asked for, and how many there are."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self, TypedDict

from framework_m.core.errors import CursorError, FilterError
from framework_m.core.jobs.states import JobStatus
from framework_m.core.text import storable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_store import LogLine
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_LONGEST_ID = 36
_LONGEST_CURSOR = 300
_TIMES = ("since", "until")
_TEXTS = ("job_name", "queue", "user_id", "tag", "parent_id", "correlation_id", "schedule")


class JobFilters(TypedDict, total=False):
    """Which jobs are meant: those that fit all of it; None, or left out, means any."""

    status: JobStatus | None
    job_name: str | None
    queue: str | None
    user_id: str | None
    tag: str | None
    since: datetime | None
    """Enqueued then or later; aware."""
    until: datetime | None
    """Enqueued before that; aware."""
    parent_id: str | None
    correlation_id: str | None
    schedule: str | None
    """The schedule that enqueued it."""


@dataclass(frozen=True, slots=True)
class JobCursor:
    """The place of one job in a list of them, newest first.

    Not its id alone: ids may be chosen elsewhere, or carry another time than that of asking.
    """

    enqueued_at: datetime
    job_id: str

    @classmethod
    def of(cls, job: JobLog) -> Self:
        """What continues a list that this job has ended."""
        return cls(job.enqueued_at, job.job_id)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Raises CursorError."""
        try:
            if len(text) > _LONGEST_CURSOR:
                raise ValueError("too long")
            padded = text + "=" * (-len(text) % 4)
            plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
            moment, _, job_id = plain.partition(" ")
            enqueued_at = _in_utc(datetime.fromisoformat(moment))
        except (binascii.Error, ValueError, OverflowError) as error:
            raise CursorError("is not one that an earlier page gave") from error
        if not 0 < len(job_id) <= _LONGEST_ID or not job_id.isprintable():
            raise CursorError("is not one that an earlier page gave")
        return cls(enqueued_at, job_id)

    def encode(self) -> str:
        """Opaque text, fit for a URL."""
        plain = f"{self.enqueued_at.isoformat()} {self.job_id}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are meant, in what order and how many; None means any. Newest first.

    Newest is what was asked for last; of the same moment, the greatest id.
    """

    status: JobStatus | None = None
    job_name: str | None = None
    queue: str | None = None
    user_id: str | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    parent_id: str | None = None
    correlation_id: str | None = None
    schedule: str | None = None
    limit: int = 50
    before: JobCursor | None = None
    """Only jobs beyond this place: the cursor of a page."""

    def checked(self) -> JobFilter:
        """The same, with times in UTC and texts that every database can compare.

        Raises FilterError, which names the field.
        """
        if not 1 <= self.limit < 2**31:
            raise FilterError("limit", "must be 1 or more")
        changed: dict[str, Any] = {name: _time(name, getattr(self, name)) for name in _TIMES}
        changed |= {
            name: storable(value)
            for name in _TEXTS
            if isinstance(value := getattr(self, name), str)
        }
        return replace(self, **changed)

    @property
    def names_some(self) -> bool:
        """Whether it leaves any job out, other than by its limit and its place."""
        all_ = JobFilter(limit=self.limit, before=self.before)
        return any(getattr(self, it.name) != getattr(all_, it.name) for it in fields(self))


@dataclass(frozen=True, slots=True)
class JobCount:
    """How many jobs there are."""

    count: int
    is_exact: bool
    """False if there are at least so many: beyond that, nobody has counted."""


class JobScope(StrEnum):
    """Which of the jobs that a filter names are to be acted on."""

    ANY = "any"
    OPEN = "open"
    """Those that have not ended."""
    RETRYABLE = "retryable"
    """Those that have ended, and that no other job runs again."""


class JobReading(Protocol):
    """Reads jobs, for people. Each answer is one state of the database.

    Raises: DatabaseUnavailableError (retry later), SchemaOutdatedError. Nothing else.
    """

    async def get(self, job_id: str) -> JobLog | None:
        """One job with its attempts, or None."""

    async def lines(
        self, job_id: str, *, after: tuple[int, int] | None, limit: int
    ) -> Sequence[LogLine]:
        """What a job's runs said, oldest first, after that claim_no and number."""

    async def list(self, wanted: JobFilter) -> Sequence[JobLog]:
        """Jobs, newest first, without their attempts."""

    async def count(self, wanted: JobFilter) -> JobCount:
        """How many they are, exact up to the limit; its place counts, too."""

    async def pick(
        self, unit: UnitOfWorkProtocol, wanted: JobFilter, scope: JobScope
    ) -> Sequence[JobCursor]:
        """Those of them that may be acted on, newest first, locked in the caller's transaction.

        What they are may have changed until they were locked: who acts on them looks again.
        """

    async def to_retry(
        self, unit: UnitOfWorkProtocol, job_ids: Collection[str]
    ) -> Sequence[JobLog]:
        """Those of these picked jobs that are retryable now, in no order."""


def _time(field: str, moment: datetime | None) -> datetime | None:
    try:
        return None if moment is None else _in_utc(moment)
    except (ValueError, OverflowError) as error:
        raise FilterError(field, "must be a time with its offset, such as Z or +01:00") from error


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("is naive")
    return moment.astimezone(UTC)
