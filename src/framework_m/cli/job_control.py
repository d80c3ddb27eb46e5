"""m job:cancel, m job:retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import DONE, FAILED, UsageError, complain, run, say, say_json
from framework_m.cli.jobs import Json
from framework_m.cli.loading import AppOption, load
from framework_m.core.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.app import FrameworkM


def job_cancel(
    *job_ids: Annotated[str, Parameter(help="The jobs' ids.")],
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Cancel jobs: one that waits at once, one that runs is asked to stop within a second."""
    if not job_ids:
        raise UsageError("name the ids of the jobs to cancel")
    found, problems = run(_cancel(load(app), _checked(job_ids)))
    if as_json:
        say_json([{"job_id": job_id, "status": status} for job_id, status in found.items()])
    else:
        for job_id, status in found.items():
            say(f"{job_id} {'is asked to stop' if status == 'Running' else 'is cancelled'}")
    for problem in problems:
        complain(problem)
    return FAILED if problems else DONE


def job_retry(
    job_id: Annotated[str, Parameter(help="The id of a finished job.")],
    /,
    *,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Run a finished job again, as a new one with the same arguments; print its id."""
    again, retry_of = run(_retry(load(app), _checked([job_id])[0]))
    say_json({"job_id": again, "retry_of": retry_of}) if as_json else say(again)
    return DONE


async def _cancel(app: FrameworkM, job_ids: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    problems: list[str] = []
    async with app:
        await app.ports.require_schema()
        for job_id in job_ids:
            try:
                found[job_id] = (await app.jobs.cancel(job_id)).value
            except JobError as error:
                problems.append(str(error))
    return found, problems


async def _retry(app: FrameworkM, job_id: str) -> tuple[str, str | None]:
    """Of a unique job, another may be there already, which is a retry of none, or of another."""
    async with app:
        await app.ports.require_schema()
        again = await (await app.jobs.retry(job_id)).record()
        return again.job_id, again.retry_of


def _checked(job_ids: Sequence[str]) -> Sequence[str]:
    from framework_m.core.ids import is_uuid  # noqa: PLC0415 - `m --help` does without

    for job_id in job_ids:
        if not is_uuid(job_id):
            raise UsageError(f"{job_id!r} is not a job's id (a UUID)")
    return job_ids
