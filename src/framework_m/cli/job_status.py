"""m job:status: how one job is getting on, now or until it has ended."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from framework_m.cli.console import (
    DONE,
    CommandFailedError,
    UsageError,
    complain,
    is_terminal,
    printable,
    run,
    say,
    say_json,
    say_json_line,
)
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from framework_m.app import FrameworkM
    from framework_m.cli.following import Look
    from framework_m.cli.job_views import View
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_store import LogLine

_MOST_LINES = 100_000


def job_status(
    job_id: Annotated[str, Parameter(help="The job's id.")],
    *,
    follow: Annotated[
        bool, Parameter(negative=(), help="Go on until it has ended, with what it logs.")
    ] = False,
    log: Annotated[bool, Parameter(negative=(), help="What it logged, too.")] = False,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Say how one job is getting on.

    With --follow, exit status 0 says that it succeeded, 1 that it did not.
    """
    from framework_m.core.ids import is_uuid  # noqa: PLC0415 - `m --help` does without

    if not is_uuid(job_id):
        raise UsageError(f"{job_id!r} is not a job's id (a UUID)")
    if follow:
        return run(follow_job(load(app), job_id, as_json=as_json))
    job, lines = run(_get(load(app), job_id, log))
    if job is None:
        raise CommandFailedError(f"no job has the id {job_id}")
    if as_json:
        say_json(_shown(job, lines) if log else job.model_dump(mode="json"))
    else:
        _say_job(job, lines)
    return DONE


async def follow_job(app: FrameworkM, job_id: str, *, as_json: bool) -> int:
    """Show the job until it has ended; the exit status that its end stands for."""
    from framework_m.cli.following import ended, watch  # noqa: PLC0415 - as above

    async with app:
        await app.ports.require_schema()
        try:
            with _view(as_json) as view:
                job = await watch(app, job_id, view.show)
        except asyncio.CancelledError:
            complain(f"job {job_id} goes on without being watched")
            raise
    return ended(job)


def _view(as_json: bool) -> AbstractContextManager[View]:
    """A bar for a person at a terminal, lines for everything else."""
    from framework_m.cli.job_views import Bar, Lines  # noqa: PLC0415 - as above

    if as_json:
        return _JsonLines()
    return Bar() if is_terminal() else Lines()


class _JsonLines:
    """The record at each change, on a line of its own, with what was logged since the last."""

    def __enter__(self) -> _JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def show(self, look: Look) -> None:
        if look.is_news:
            say_json_line(_shown(look.job, look.lines))


async def _get(app: FrameworkM, job_id: str, log: bool) -> tuple[JobLog | None, Sequence[LogLine]]:
    async with app:
        await app.ports.require_schema()
        lines = await app.jobs.lines(job_id, limit=_MOST_LINES) if log else ()
        return await app.jobs.get(job_id), lines


def _shown(job: JobLog, lines: Sequence[LogLine]) -> dict[str, Any]:
    told = [{**asdict(line), "at": line.at.isoformat()} for line in lines]
    return {**job.model_dump(mode="json"), "log": told}


def _say_job(job: JobLog, lines: Sequence[LogLine]) -> None:
    from framework_m.cli.job_views import shown_line  # noqa: PLC0415 - as above

    for field, value in job.model_dump(mode="json", exclude={"attempts"}).items():
        if value not in (None, []):
            say(f"{field:<18}{value if isinstance(value, str) else json.dumps(value)}")
    for attempt in job.attempts:
        say(f"{f'attempt {attempt.attempt}':<18}{printable(attempt.error)}")
    for line in lines:
        say(f"{line.at:%Y-%m-%d} {shown_line(line)}")
