"""m job:cancel, m job:retry, m job:delete: of some jobs, or of all that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from framework_m.cli.console import DONE, FAILED, UsageError, complain, run, say, say_json
from framework_m.cli.job_filters import ANY, All, FilterOptions
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json
from framework_m.core.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.jobs.bulk import BulkOutcome
    from framework_m.core.jobs.service import Jobs

JobIds = Annotated[str, Parameter(help="The jobs' ids; or give filters.")]


def job_cancel(
    *job_ids: JobIds,
    which: FilterOptions = ANY,
    everything: All = False,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Cancel jobs: one that waits at once, one that runs is asked to stop within a second."""
    if _is_about_many(job_ids, which, everything):
        outcome = _many(app, which, lambda jobs: jobs.cancel_many)
        return _say_outcome(outcome, "cancelled, or asked to stop", as_json)

    async def one(jobs: Jobs, job_id: str) -> dict[str, Any]:
        return {"job_id": job_id, "status": (await jobs.cancel(job_id)).value}

    done, problems = run(_each(load(app), _checked(job_ids), one))
    for it in () if as_json else done:
        told = "is asked to stop" if it["status"] == "Running" else "is cancelled"
        say(f"{it['job_id']} {told}")
    return _ended(done, problems, as_json)


def job_retry(
    *job_ids: JobIds,
    which: FilterOptions = ANY,
    everything: All = False,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Run finished jobs again, as new ones with the same arguments; print their ids.

    With filters: those that have not been run again yet.
    """
    if _is_about_many(job_ids, which, everything):
        outcome = _many(app, which, lambda jobs: jobs.retry_many)
        return _say_outcome(outcome, "asked for again", as_json)
    done, problems = run(_each(load(app), _checked(job_ids), _retry))
    if as_json and len(job_ids) == 1 and done:
        say_json(done[0])
        return DONE
    for it in () if as_json else done:
        say(it["job_id"])
    return _ended(done, problems, as_json)


def job_delete(
    *job_ids: JobIds,
    which: FilterOptions = ANY,
    everything: All = False,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Cancel jobs and remove their records, with all that they said."""
    if _is_about_many(job_ids, which, everything):
        return _say_outcome(_many(app, which, lambda jobs: jobs.delete_many), "deleted", as_json)

    async def one(jobs: Jobs, job_id: str) -> dict[str, Any]:
        await jobs.delete(job_id)
        return {"job_id": job_id}

    done, problems = run(_each(load(app), _checked(job_ids), one))
    for it in () if as_json else done:
        say(f"{it['job_id']} is deleted")
    return _ended(done, problems, as_json)


async def _retry(jobs: Jobs, job_id: str) -> dict[str, Any]:
    """Of a unique job, another may be there already, which is a retry of none, or of another."""
    again = await (await jobs.retry(job_id)).record()
    return {"job_id": again.job_id, "retry_of": again.retry_of}


def _is_about_many(job_ids: Sequence[str], which: FilterOptions, everything: bool) -> bool:
    """Whether jobs are meant by filters, not by ids. Raises UsageError if neither, or both."""
    by_filter = everything or which.names_some
    if by_filter and job_ids:
        raise UsageError("name jobs by their ids or by filters, not by both")
    if not by_filter and not job_ids:
        raise UsageError("name the ids of jobs, or give filters; --all is every job")
    return by_filter


async def _each(
    app: FrameworkM,
    job_ids: Sequence[str],
    act: Callable[[Jobs, str], Awaitable[dict[str, Any]]],
) -> tuple[list[dict[str, Any]], list[str]]:
    """What came of it, and what went wrong."""
    done: list[dict[str, Any]] = []
    problems: list[str] = []
    async with app:
        await app.ports.require_schema()
        for job_id in job_ids:
            try:
                done.append(await act(app.jobs, job_id))
            except JobError as error:
                problems.append(str(error))
    return done, problems


def _many(
    path: str | None,
    which: FilterOptions,
    action: Callable[[Jobs], Callable[..., Awaitable[BulkOutcome]]],
) -> BulkOutcome:
    filters = which.filters()
    app = load(path)

    async def act() -> BulkOutcome:
        async with app:
            await app.ports.require_schema()
            return await action(app.jobs)(everything=True, **filters)

    outcome = run(act())
    if not outcome.matched:
        which.hint(app)
    return outcome


def _say_outcome(outcome: BulkOutcome, done: str, as_json: bool) -> int:
    if as_json:
        refused = [{"job_id": it.job_id, "reason": it.reason} for it in outcome.refused]
        say_json({"matched": outcome.matched, "done": outcome.done, "refused": refused})
    else:
        say(f"{outcome.done} of {outcome.matched} jobs: {done}")
    for it in outcome.refused:
        complain(f"{it.job_id}: {it.reason}")
    return FAILED if outcome.refused else DONE


def _ended(done: Sequence[dict[str, Any]], problems: Sequence[str], as_json: bool) -> int:
    if as_json:
        say_json(done)
    for problem in problems:
        complain(problem)
    return FAILED if problems else DONE


def _checked(job_ids: Sequence[str]) -> Sequence[str]:
    from framework_m.core.ids import is_uuid  # noqa: PLC0415 - `m --help` does without

    for job_id in job_ids:
        if not is_uuid(job_id):
            raise UsageError(f"{job_id!r} is not a job's id (a UUID)")
    return job_ids
