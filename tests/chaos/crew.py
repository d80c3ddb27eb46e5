"""Workers to be killed at random, and what must be true of their jobs afterwards."""

import asyncio
import random
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import func, select

from framework_m import JobStatus
from framework_m.adapters.db.schema import job_log
from framework_m.core.errors import UnavailableError
from tests.support.harness import Harness
from tests.support.processes import WorkerProcess

LEASE = 2
CONCURRENCY = 20


class Crew:
    """Some workers, of which any may be killed and is replaced."""

    def __init__(
        self,
        harness: Harness,
        stack: ExitStack,
        *,
        size: int = 2,
        app: str = "tests.support.application:app",
        **changed: str,
    ) -> None:
        """`changed`: variables of their environment."""
        self._app = app
        self._environment = {
            **harness.environment(),
            "FRAMEWORK_M_CONCURRENCY": str(CONCURRENCY),
            **changed,
        }
        self._output = harness.folder / "output"
        self._stack = stack
        self._workers = [self._hired() for _ in range(size)]
        self.kills = 0
        self.killed_at: dict[int, float] = {}
        """By process id: when it had been killed."""

    def kill_one(self) -> None:
        number = random.randrange(len(self._workers))
        self._workers[number].kill()
        self.killed_at[self._workers[number].pid] = time.monotonic()
        self._workers[number] = self._hired()
        self.kills += 1

    def _hired(self) -> WorkerProcess:
        worker = WorkerProcess(self._environment, self._output, app=self._app)
        self._stack.callback(worker.end)
        return worker


async def ended(harness: Harness, count: int) -> None:
    """Until so many jobs have ended, looked at through an outage if need be."""
    async with asyncio.timeout(240):
        while await _count(harness) < count:  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.05)


async def judge(harness: Harness, ids: set[str], log: Path, *, kills: int) -> None:
    """Every job ended well, once; only what ran in a killed worker may have run again."""
    records = await harness.app.jobs.list(limit=len(ids) + 1)
    assert {job.job_id for job in records} == ids, "none lost, none invented"
    assert Counter(job.status for job in records) == {JobStatus.SUCCESS: len(ids)}
    assert {job.attempt for job in records} == {1}, "the crash of a worker spends no attempt"
    runs: dict[str, set[str]] = {}
    for line in log.read_text().split():
        job_id, _, run = line.partition(":")
        runs.setdefault(job_id, set()).add(run)
    assert runs.keys() == ids
    assert all(job.result in runs[job.job_id] for job in records), "of a run of its own"
    again = sum(map(len, runs.values())) - len(ids)
    assert again <= CONCURRENCY * kills, f"{again} runs more than were in flight at a kill"


async def _count(harness: Harness) -> int:
    terminal = [status.value for status in JobStatus if status.is_terminal]
    ended = select(func.count()).where(job_log.c.status.in_(terminal))
    try:
        async with harness.app.ports.database.read() as connection:
            return (await connection.execute(ended)).scalar_one()
    except UnavailableError:
        return 0
