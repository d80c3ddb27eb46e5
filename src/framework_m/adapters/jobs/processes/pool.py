"""The processes of one worker: started when first wanted, kept warm, never more than allowed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import TYPE_CHECKING

from framework_m.adapters.jobs.processes.hearing import Hearing
from framework_m.adapters.jobs.processes.process import JobProcess
from framework_m.core.errors import JobProcessDiedError, JobTimeoutError
from framework_m.core.jobs import execution

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from framework_m.adapters.jobs.processes.frames import Message
    from framework_m.adapters.jobs.processes.hearing import Record
    from framework_m.core.interfaces.job_store import Claim, FinishedRun
    from framework_m.core.jobs.cancellation import Cancellation
    from framework_m.core.jobs.registry import JobRegistry, RegisteredJob

logger = logging.getLogger(__name__)

_LONGEST_START = 60.0
_IDLE = 300.0
"""Seconds: modules may have loaded much that is worth giving back."""


class JobProcesses:
    """Runs jobs in processes. Jobs beyond the limit wait in line, and their time does not run."""

    def __init__(
        self,
        registry: JobRegistry,
        record: Record,
        *,
        limit: int,
        log_lines: int,
        idle: float = _IDLE,
    ) -> None:
        """idle: seconds after which a process that has nothing to do is ended."""
        self._registry = registry
        self._hearing = Hearing(record)
        self._log_lines = log_lines
        self._idle_for = idle
        self._places = asyncio.Semaphore(limit)
        self._idle: dict[JobProcess, asyncio.TimerHandle] = {}
        self._all: set[JobProcess] = set()

    @property
    def pids(self) -> frozenset[int]:
        """Of those that are there now."""
        return frozenset(process.pid for process in self._all if process.is_alive)

    async def run(
        self, job: RegisteredJob, claim: Claim, cancellation: Cancellation
    ) -> FinishedRun:
        """Its outcome. When its time is over, or when cancelled, its process is killed.

        As with jobs that run elsewhere, being cancelled is an outcome, and is not raised.
        """
        try:
            async with self._places, self._warm(job) as process:
                return await self._within_time(job, claim, process)
        except (JobProcessDiedError, JobTimeoutError, asyncio.CancelledError) as error:
            return execution.raised(job, claim, cancellation.meant_by(error))

    async def close(self) -> None:
        """End them all."""
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        await asyncio.gather(*(process.end() for process in self._all))
        self._all.clear()

    async def _within_time(
        self, job: RegisteredJob, claim: Claim, process: JobProcess
    ) -> FinishedRun:
        try:
            async with asyncio.timeout(job.timeout):
                return await process.run(claim, self._hearing)
        except TimeoutError as error:
            raise JobTimeoutError(job.name, job.timeout) from error

    @contextlib.asynccontextmanager
    async def _warm(self, job: RegisteredJob) -> AsyncIterator[JobProcess]:
        """One for the block. Only what ends its job well is fit for another."""
        process = self._reused() or await self._started(job.name)
        try:
            yield process
        except BaseException:
            await self._end(process)
            raise
        self._idle[process] = asyncio.get_running_loop().call_later(
            self._idle_for, self._retire, process
        )

    def _reused(self) -> JobProcess | None:
        """The one that rested last, so that those which are too many are left to retire."""
        while self._idle:
            process, timer = self._idle.popitem()
            timer.cancel()
            if process.is_alive:
                return process
        return None

    async def _started(self, job_name: str) -> JobProcess:
        try:
            process = await JobProcess.started()
        except (OSError, ValueError, NotImplementedError) as error:
            raise JobProcessDiedError(job_name, f"could not start: {error}") from error
        self._all = {known for known in self._all if known.is_alive} | {process}
        try:
            async with asyncio.timeout(_LONGEST_START):
                await process.prepare(job_name, self._opening())
        except TimeoutError as error:
            await self._end(process)
            told = f"could not start: the modules took more than {_LONGEST_START:g} s to import"
            raise JobProcessDiedError(job_name, told) from error
        except BaseException:
            await self._end(process)
            raise
        logger.info("process %d is there for jobs", process.pid)
        return process

    def _opening(self) -> Message:
        return {
            "path": [str(folder) for folder in sys.path],
            "modules": self._registry.modules,
            "default_retries": self._registry.default_retries,
            "default_timeout": self._registry.default_timeout,
            "log_lines": self._log_lines,
            "level": logging.getLogger().level,
        }

    async def _end(self, process: JobProcess) -> None:
        await process.end()
        self._all.discard(process)

    def _retire(self, process: JobProcess) -> None:
        del self._idle[process]
        process.kill()  # and it stays in `_all` until it is gone
