"""m job:run: ask for a run of a job function, and wait for it, or call it here and now."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from framework_m.cli.completion import job_names
from framework_m.cli.console import (
    DONE,
    UsageError,
    run,
    say_json,
)
from framework_m.cli.enqueued import check_timeout, tell
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json
from framework_m.core.errors import ArgumentError, UnknownJobError

if TYPE_CHECKING:
    from framework_m.app import FrameworkM
    from framework_m.core.jobs.function import JobCall
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.registry import RegisteredJob

_RUN_OPTIONS = ("delay", "queue", "priority", "tag", "unique_key")
OPTIONS = frozenset((*_RUN_OPTIONS, "wait", "timeout", "local", "json", "help", "app"))
"""A job's parameter of such a name has its option after `--`."""


def job_run(
    name: Annotated[
        str | None, Parameter(help="The job function's name.", completer=job_names)
    ] = None,
    /,  # so that a job may have an argument `--name`
    *arguments: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="Its arguments, as --key value.")
    ],
    delay: Annotated[float | None, Parameter(help="Seconds to wait before it may run.")] = None,
    queue: Annotated[str | None, Parameter(help="Instead of the function's own.")] = None,
    priority: Annotated[
        int | None, Parameter(help="From 1, the most urgent, to 4; instead of the function's own.")
    ] = None,
    tag: Annotated[
        list[str] | None, Parameter(negative=(), help="A word to find it by; may be repeated.")
    ] = None,
    unique_key: Annotated[
        str | None, Parameter(help="While a job with this key is there, the answer is that one.")
    ] = None,
    wait: Annotated[bool, Parameter(negative=(), help="Wait, and print the result.")] = False,
    timeout: Annotated[float | None, Parameter(help="With --wait: seconds at most.")] = None,
    local: Annotated[
        bool, Parameter(negative=(), help="Call the function here and now; no job is recorded.")
    ] = False,
    as_json: Json = False,
    show_help: Annotated[
        bool,
        Parameter(
            name=["--help", "-h"],
            negative=(),
            help="After a job's name: its arguments, with their types and defaults.",
        ),
    ] = False,
    app: AppOption = None,
) -> int:
    """Enqueue a job, and print its id.

    Arguments named like an option of this command go after `--`.
    """
    if name is None:
        return _say_own_help(show_help)
    application = load(app)
    job = _job(application, name)
    if show_help:
        from framework_m.cli.job_help import say_help  # noqa: PLC0415 - seldom wanted

        say_help(job)
        return DONE
    asked = {
        "delay": delay,
        "queue": queue,
        "priority": priority,
        "tags": tag,
        "unique_key": unique_key,
    }
    _check_options(asked, wait=wait, timeout=timeout, local=local)
    values = _values(job, arguments)
    if local:
        from framework_m.cli.local import run_here  # noqa: PLC0415 - seldom wanted

        # What the function prints goes to stderr: stdout has its result alone.
        with contextlib.redirect_stdout(sys.stderr):
            returned = run(run_here(application, job, values))
        say_json(returned)
        return DONE
    call = _call(job, asked, values)
    return run(_enqueue(application, call, wait=wait, timeout=timeout, as_json=as_json))


def _say_own_help(asked: bool) -> int:
    from framework_m.cli.main import build  # noqa: PLC0415 - it imports this module

    if not asked:
        raise UsageError("which job? m job:run NAME --key value; m job:list lists them")
    build().help_print(["job:run"])
    return DONE


def _job(app: FrameworkM, name: str) -> RegisteredJob:
    try:
        return app.registry.get(name)
    except UnknownJobError as error:
        raise UsageError(str(error)) from error


def _check_options(
    asked: dict[str, Any], *, wait: bool, timeout: float | None, local: bool
) -> None:
    check_timeout(timeout, wait=wait)
    recorded = [option for option, value in asked.items() if value is not None]
    if local and (wait or recorded):
        name = "tag" if "tags" in recorded else (recorded or ["wait"])[0].replace("_", "-")
        raise UsageError(f"--local records no job, so --{name} means nothing there")


def _values(job: RegisteredJob, arguments: tuple[str, ...]) -> dict[str, Any]:
    from framework_m.cli.job_arguments import parsed  # noqa: PLC0415 - `m --help` does without

    return parsed(job, arguments, taken=OPTIONS)


def _call(job: RegisteredJob, asked: dict[str, Any], values: dict[str, Any]) -> JobCall[Any]:
    try:
        return job.function.options(**asked).call(**values)
    except ArgumentError as error:
        told = "; ".join(
            f"--{found.field.replace('_', '-').replace('tags', 'tag')}: {found.message}"
            for found in error.errors
        )
        raise UsageError(told) from error


async def _enqueue(
    app: FrameworkM, call: JobCall[Any], *, wait: bool, timeout: float | None, as_json: bool
) -> int:
    async with app:
        await app.ports.require_schema()
        handle = await _asked(app, call)
        return await tell(app, handle, wait=wait, timeout=timeout, as_json=as_json)


async def _asked(app: FrameworkM, call: JobCall[Any]) -> JobHandle[Any]:
    try:
        [handle] = await app.jobs.enqueue_many([call])
    except ArgumentError as error:
        raise UsageError(str(error)) from error
    return handle
