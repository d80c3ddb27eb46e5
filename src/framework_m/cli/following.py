"""Looking at a job again and again, until it has ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework_m.cli.console import DONE, FAILED, CommandFailedError, complain, printable
from framework_m.cli.hints import hint
from framework_m.core.errors import UnavailableError
from framework_m.core.jobs.states import WAITING, JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_store import LogLine

_FIRST_PAUSE = 0.02
_PAUSE = 0.3
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Look:
    """How a job stands, and what it has said since the look before."""

    job: JobLog
    lines: Sequence[LogLine]
    is_news: bool


async def watch(app: FrameworkM, job_id: str, show: Callable[[Look], None]) -> JobLog:
    """Look until the job has ended; its record then. The last look has all that it said.

    Says on stderr when nobody would begin it. An outage of the database is told there, and
    outlasted, unless it is there from the start.

    app: open. Raises CommandFailedError (there is no such job, or no more), UnavailableError.
    """
    looking, hints, pause = _Looking(app, job_id), _Hints(app), _FIRST_PAUSE
    while True:
        look = await looking.next()
        if look is not None:
            show(look)
            if look.job.status.is_terminal:
                return look.job
            await hints.tell(look.job)
        await asyncio.sleep(pause)
        pause = min(_PAUSE, pause * 2)


def ended(job: JobLog) -> int:
    """The exit status that a finished job stands for; its error goes to stderr."""
    if job.status is JobStatus.SUCCESS:
        return DONE
    error = f": {printable(job.error.partition(chr(10))[0])}" if job.error else ""
    complain(
        f"job {job.job_id} ended {job.status.value}{error} (more: m job:status {job.job_id} --log)"
    )
    return FAILED


class _Looking:
    """What was seen last."""

    def __init__(self, app: FrameworkM, job_id: str) -> None:
        self._app = app
        self._job_id = job_id
        self._seen: tuple[object, ...] | None = None
        self._line: LogLine | None = None
        self._is_away = False

    async def next(self) -> Look | None:
        """None while the database is away."""
        try:
            # The record first: what a run said is there before its outcome is.
            job = await self._app.jobs.get(self._job_id)
            lines = await self._new_lines()
        except UnavailableError as error:
            if self._seen is None:
                raise
            if not self._is_away:
                complain(f"{error}; the job goes on, looking again until it is there")
            self._is_away = True
            return None
        if self._is_away:
            complain("the database is available again")
        self._is_away = False
        if job is None:
            gone = ", any more" if self._seen else ""
            raise CommandFailedError(f"no job has the id {self._job_id}{gone}")
        before, self._seen = self._seen, _standing(job)
        return Look(job, lines, is_news=before != self._seen or bool(lines))

    async def _new_lines(self) -> Sequence[LogLine]:
        found: list[LogLine] = []
        while True:
            page = await self._app.jobs.lines(self._job_id, after=self._line, limit=_PAGE)
            found += page
            if page:
                self._line = page[-1]
            if len(page) < _PAGE:
                return found


class _Hints:
    """Each reason why a job does not begin is told once."""

    _EVERY = 5.0

    def __init__(self, app: FrameworkM) -> None:
        self._app = app
        self._told: str | None = None
        self._asked_at: float | None = None

    async def tell(self, job: JobLog) -> None:
        now = asyncio.get_running_loop().time()
        is_early = self._asked_at is not None and now - self._asked_at < self._EVERY
        if job.status not in WAITING or is_early:
            return
        self._asked_at = now
        try:
            found = await hint(self._app, job.queue)
        except UnavailableError:
            return  # the next look says it
        if found is not None and found != self._told:
            complain(found)
        self._told = found


def _standing(job: JobLog) -> tuple[object, ...]:
    """What a person would call a change: not that a lease was renewed."""
    return (
        job.status,
        job.attempt,
        job.claim_no,
        job.progress,
        job.progress_message,
        job.error,
        job.blocked_on,
        job.scheduled_at,
        job.cancel_requested_at,
    )
