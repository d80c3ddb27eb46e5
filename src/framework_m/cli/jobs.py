"""m job:list."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from framework_m.cli.console import DONE, UsageError, run, say_json, say_table
from framework_m.cli.loading import AppOption, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.job_log import JobLog

Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON.")]


def job_list(
    *,
    runs: Annotated[bool, Parameter(negative=(), help="List runs, newest first.")] = False,
    status: Annotated[str | None, Parameter(help="With --runs: only those in this state.")] = None,
    limit: Annotated[int, Parameter(help="With --runs: how many.")] = 20,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """List the registered job functions, or with --runs what was asked of them."""
    application = load(app)
    if not runs:
        _say_functions(application, as_json)
        return DONE
    found = run(_runs(application, _status(status), limit))
    if as_json:
        say_json([job.model_dump(mode="json") for job in found])
    else:
        _say_runs(found)
    return DONE


async def _runs(app: FrameworkM, status: Any, limit: int) -> Sequence[JobLog]:
    async with app:
        await app.ports.require_schema()
        return await app.jobs.list(status=status, limit=limit)


def _say_functions(app: FrameworkM, as_json: bool) -> None:
    shown = [
        {
            "name": job.name,
            "queue": job.queue,
            "parameters": str(inspect.signature(job.function.function)),
            "place": "built in" if job.is_built_in else job.function.place,
        }
        for job in app.registry
    ]
    if as_json:
        say_json(shown)
    else:
        say_table(
            ("NAME", "QUEUE", "PARAMETERS", "PLACE"),
            [tuple(function.values()) for function in shown],
        )


def _say_runs(found: Sequence[JobLog]) -> None:
    say_table(
        ("ID", "NAME", "STATUS", "ATTEMPT", "ENQUEUED", "ERROR"),
        [
            (
                job.job_id,
                job.job_name,
                job.status.value,
                f"{job.attempt}/{job.max_attempts}",
                job.enqueued_at.isoformat(timespec="seconds"),
                (job.error or "").partition("\n")[0],
            )
            for job in found
        ],
    )


def _status(text: str | None) -> Any:
    from framework_m.core.jobs.states import JobStatus  # noqa: PLC0415 - `m --help` does without

    if text is None:
        return None
    for status in JobStatus:
        if status.value.lower() == text.lower():
            return status
    raise UsageError(f"--status {text}: use one of {', '.join(JobStatus)}")
