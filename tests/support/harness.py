"""What a test needs of one backend: applications on its database, workers, and ways to wait."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import func, select, update

from framework_m import FrameworkM, JobLog, JobStatus, Settings
from framework_m.adapters.db.schema import job_attempt, job_log
from tests.support.schema import make_schema

T = TypeVar("T")

_DEADLINE = 20.0
"""Only ends a test that would otherwise hang."""

JOBS = ("tests.support.jobs",)


async def until(
    look: Callable[[], Awaitable[T | None]], *, deadline: float = _DEADLINE, pause: float = 0.005
) -> T:
    """Look again and again, with a pause between, until there is something to see."""
    async with asyncio.timeout(deadline):
        while not (seen := await look()):  # noqa: ASYNC110 - other processes set no event here
            await asyncio.sleep(pause)
    return seen


class Harness:
    """One backend on one fresh database with its schema, seen by one enqueuing application."""

    def __init__(self, settings: dict[str, Any], folder: Path) -> None:
        # What is due is a test's to say, and it hears of nothing else.
        self._settings = {"own_schedules": False, **settings}
        self.folder = folder
        self.app = self.application()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, settings: dict[str, Any], folder: Path) -> "AsyncIterator[Harness]":
        harness = cls(settings, folder)
        await make_schema(harness.app)
        async with harness.app:
            yield harness

    def application(self, modules: Sequence[str] = JOBS, **changed: Any) -> FrameworkM:
        """Another application on the same database, as another process would have."""
        return FrameworkM(modules, settings=self.settings(**changed))

    def settings(self, **changed: Any) -> Settings:
        return Settings(**{**self._settings, **changed})

    def environment(self) -> dict[str, str]:
        """The same settings, for a process."""
        url = self.settings().database_url.get_secret_value()
        named = {f"FRAMEWORK_M_{name.upper()}": str(it) for name, it in self._settings.items()}
        return {**named, "DATABASE_URL": url, **self._nats_environment()}

    def _nats_environment(self) -> dict[str, str]:
        url = self._settings.get("nats_url")
        return {"NATS_URL": url} if url else {}

    async def record(self, job_id: str) -> JobLog:
        found = await self.app.jobs.get(job_id)
        assert found is not None
        return found

    async def make_due(self, job_id: str) -> None:
        """As if its time had come: the database's clock cannot be moved."""
        past = datetime.now(UTC) - timedelta(seconds=5)
        await self.change(job_id, scheduled_at=past, updated_at=past, dispatched_at=None)

    async def change(self, job_id: str, **columns: Any) -> None:
        """Let its row say something else."""
        row = update(job_log).where(job_log.c.name == job_id)
        async with self.app.transaction() as unit:
            await unit.execute(row.values(columns))

    async def attempts(self, job_id: str) -> int:
        """How many are kept of a job, also of one whose record is gone."""
        kept = select(func.count()).where(job_attempt.c.job_id == job_id)
        async with self.app.transaction() as unit:
            return int((await unit.execute(kept)).scalar_one())

    async def reached(self, job_id: str, *statuses: JobStatus) -> JobLog:
        """The job's record, once it is in one of these states."""

        async def look() -> JobLog | None:
            found = await self.record(job_id)
            return found if found.status in statuses else None

        return await until(look)

    async def ended(self, job_id: str) -> JobLog:
        return await self.reached(job_id, JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELLED)

    async def lines(self, log: Path, count: int) -> list[str]:
        """What jobs wrote there, once there are that many lines."""

        async def look() -> list[str] | None:
            lines = log.read_text().splitlines() if log.exists() else []
            return lines if len(lines) >= count else None

        return await until(look)
