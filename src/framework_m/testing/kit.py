"""Kit: an application of one's own for a test, whose jobs run when the test says so."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from framework_m.core import clock
from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.states import JobStatus
from framework_m.testing.clock import MovableClock
from framework_m.testing.errors import JobsFailedError
from framework_m.testing.expectations import Expectation, complaint
from framework_m.testing.schema import UNLESS_SAID, checked, make_database, settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy.ext.asyncio import AsyncEngine

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.jobs.function import JobFunction

_MOST = 1_000_000
_WENT_WRONG = (JobStatus.FAILED, JobStatus.RETRYING)
_at_work: contextvars.ContextVar[bool] = contextvars.ContextVar("at_work", default=False)
"""Set in what the kit's own worker does."""


class Kit:
    """Opens an application on a fresh SQLite file, away from servers and from the environment.

        async with Kit(app) as kit:
            await send_invoice.enqueue(number=7)
            await kit.assert_enqueued(send_invoice, {"number": 7})
            await kit.drain()

    inline: whether jobs run by themselves; see `inline`.
    settings: those of the application that shall be otherwise, by the names of their fields.
        Raises ConfigurationError (there is no such setting, or it is the kit's to choose).

    Its settings are as before afterwards, and the file is gone. One kit at a time per application;
    kits of several applications have one clock while they are open.
    """

    def __init__(self, app: FrameworkM, *, inline: bool = False, **settings: Any) -> None:
        self.app = app
        self.clock = MovableClock()
        self._is_inline = inline
        self._settings = checked(settings)
        self._stack = contextlib.AsyncExitStack()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="framework_m_")))
            await make_database(self.app, folder)
            stack.enter_context(
                self.app.isolated(**{**UNLESS_SAID, **self._settings, **settings(folder)})
            )
            if isinstance(others := clock.moved(), MovableClock):
                self.clock = others  # it is the same time in all applications of a process
            stack.enter_context(clock.in_use(self.clock))
            await stack.enter_async_context(self.app)
            await self.app.ports.upkeep.declare()
            self.app.ports.database.after_commit = self._committed
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def engine(self) -> AsyncEngine:
        """The database's engine, for an application that has tables of its own in it."""
        return self.app.ports.database.engine

    async def drain(self, *, check: bool = True) -> list[JobLog]:
        """Run all that is due, as a worker does, until nothing is; the records of what ran.

        What these jobs enqueue runs, too, and event handlers in groups do. What waits for its time
        (delays, retries) stays: move the clock, and drain again.

        check: raise JobsFailedError if one of them is Failed or Retrying now, once all have run.
        Raises ConfigurationError, too, if it is called by what it runs.
        """
        if _at_work.get():
            raise ConfigurationError("drain() waits for its jobs: a job cannot call it")
        before = {job.job_id: job for job in await self.enqueued()}
        context = contextvars.Context()  # of nobody's transaction, user or job
        context.run(_at_work.set, True)
        async with self._turn:
            await asyncio.create_task(self._work(), context=context)
        ran = [job for job in await self.enqueued() if _has_run(job, before.get(job.job_id))]
        went_wrong = [job for job in ran if job.status in _WENT_WRONG]
        if check and went_wrong:
            raise JobsFailedError([await self._whole(job) for job in went_wrong])
        return ran

    async def _work(self) -> None:
        await self.app.run_until_empty()

    @contextlib.contextmanager
    def inline(self) -> Iterator[None]:
        """In the block jobs run by themselves, when what enqueued them has committed.

        With all that they enqueue, before `enqueue` or the transaction's block returns. On
        rollback none does. One that fails raises JobsFailedError there: the commit stands.
        """
        before, self._is_inline = self._is_inline, True
        try:
            yield
        finally:
            self._is_inline = before

    async def enqueued(self, job: JobFunction[..., Any] | str | None = None) -> list[JobLog]:
        """The jobs of this function, or of all, in any state; the first first."""
        name = None if job is None else self._name(job)
        return list(reversed(await self.app.jobs.list(job_name=name, limit=_MOST)))

    async def assert_enqueued(
        self,
        job: JobFunction[..., Any] | str,
        args: Mapping[str, Any] | None = None,
        *,
        times: int | None = None,
        queue: str | None = None,
        priority: int | None = None,
        tags: Collection[str] = (),
        delay: float | timedelta | None = None,
        user_id: str | None = None,
    ) -> list[JobLog]:
        """Such a job was asked for, whatever became of it; the records of all that are such.

        args: some of its arguments, in the function's own types; the others may be anything.
        times: exactly so often; 0 for never. At least once if not given.
        delay: seconds or a timedelta, give or take a second.

        Raises AssertionError that says what was enqueued instead, UnknownJobError, ArgumentError
        (it has no argument of that name).
        """
        span = timedelta(seconds=delay) if isinstance(delay, (int, float)) else delay
        expected = Expectation(
            self.app.registry.get(self._name(job)), args or {}, queue, priority, tags, span, user_id
        )
        jobs = await self.enqueued()
        met = [found for found in jobs if expected.is_met_by(found)]
        if (not met) if times is None else len(met) != times:
            raise AssertionError(complaint(expected, len(met), times, jobs))
        return met

    def _name(self, job: JobFunction[..., Any] | str) -> str:
        return self.app.registry.get(job if isinstance(job, str) else job.name).name

    async def _whole(self, job: JobLog) -> JobLog:
        return await self.app.jobs.get(job.job_id) or job

    async def _committed(self) -> None:
        if self._is_inline and not _at_work.get():
            await self.drain()


def _has_run(job: JobLog, before: JobLog | None) -> bool:
    """Whether it has begun since; one that a limit holds back was claimed, but did not."""
    attempt, claim_no = (0, 0) if before is None else (before.attempt, before.claim_no)
    return job.attempt > attempt or (job.claim_no > claim_no and job.blocked_on is None)
