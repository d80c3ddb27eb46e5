"""m job:list."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import (
    DONE,
    UsageError,
    complain,
    printable,
    run,
    say,
    say_json,
    say_table,
)
from framework_m.cli.job_filters import ANY, FilterOptions
from framework_m.cli.job_types import shown_type
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_reading import JobCount, JobCursor, JobFilters
    from framework_m.core.jobs.registry import RegisteredJob

_LARGEST_PAGE = 100_000


def job_list(
    *,
    runs: Annotated[bool, Parameter(negative=(), help="List runs, newest first.")] = False,
    which: FilterOptions = ANY,
    limit: Annotated[int, Parameter(help="With --runs: how many.")] = 20,
    cursor: Annotated[
        str | None, Parameter(help="With --runs: what the page before ended with.")
    ] = None,
    count: Annotated[
        bool, Parameter(negative=(), help="With --runs: only say how many there are.")
    ] = False,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """List the registered job functions, or with --runs what was asked of them."""
    if not runs:
        if which.names_some or cursor is not None or count:
            raise UsageError("filters, --cursor and --count are about runs: add --runs")
        _say_functions(load(app), as_json)
        return DONE
    if not 1 <= limit <= _LARGEST_PAGE:
        raise UsageError(f"--limit must be from 1 to {_LARGEST_PAGE}")
    before, filters = _place(cursor), which.filters()
    application = load(app)
    if count:
        number = run(_count(application, filters))
        found: int = number.count
        _say_count(number, as_json)
    else:
        page = run(_runs(application, filters, limit + 1, before))
        found = len(page)
        _say_page(page, limit, as_json)
    if not found:
        which.hint(application)
    return DONE


async def _runs(
    app: FrameworkM, filters: JobFilters, limit: int, before: JobCursor | None
) -> Sequence[JobLog]:
    async with app:
        await app.ports.require_schema()
        return await app.jobs.list(limit=limit, before=before, **filters)


async def _count(app: FrameworkM, filters: JobFilters) -> JobCount:
    async with app:
        await app.ports.require_schema()
        return await app.jobs.count(**filters)


def _place(cursor: str | None) -> JobCursor | None:
    from framework_m.core.errors import CursorError  # noqa: PLC0415 - `m --help` does without
    from framework_m.core.interfaces.job_reading import JobCursor  # noqa: PLC0415 - the same

    try:
        return None if cursor is None else JobCursor.decode(cursor)
    except CursorError as error:
        raise UsageError(f"--{error}") from error


def _say_count(number: JobCount, as_json: bool) -> None:
    if as_json:
        say_json({"count": number.count, "is_exact": number.is_exact})
    else:
        say(str(number.count) if number.is_exact else f"at least {number.count}")


def _say_page(page: Sequence[JobLog], limit: int, as_json: bool) -> None:
    from framework_m.core.interfaces.job_reading import JobCursor  # noqa: PLC0415 - as above

    shown = page[:limit]
    if as_json:
        say_json([job.model_dump(mode="json") for job in shown])
    else:
        _say_runs(shown)
    if len(page) > limit:
        complain(f"there are more: --cursor {JobCursor.of(shown[-1]).encode()}")


def _say_functions(app: FrameworkM, as_json: bool) -> None:
    shown = [
        {
            "name": job.name,
            "queue": job.queue,
            "parameters": ", ".join(_parameter(job, name) for name in job.arguments.names),
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


def _parameter(job: RegisteredJob, name: str) -> str:
    told, default = f"{name}: {shown_type(job.arguments.hint(name))}", job.arguments.default(name)
    return told if default is inspect.Parameter.empty else f"{told} = {default!r}"


def _say_runs(found: Sequence[JobLog]) -> None:
    say_table(
        ("ID", "NAME", "STATUS", "ATTEMPT", "ENQUEUED", "ERROR"),
        [
            (
                job.job_id,
                printable(job.job_name),
                job.status.value,
                f"{job.attempt}/{job.max_attempts}",
                job.enqueued_at.isoformat(timespec="seconds"),
                printable((job.error or "").partition("\n")[0]),
            )
            for job in found
        ],
    )
