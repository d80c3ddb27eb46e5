"""m job:run, m job:status."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from framework_m.cli.console import (
    DONE,
    CommandFailedError,
    UsageError,
    run,
    say,
    say_json,
)
from framework_m.cli.loading import AppOption, load
from framework_m.core.errors import ArgumentError, JobFailedError, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_store import LogLine
    from framework_m.core.jobs.registry import RegisteredJob

_MOST_LINES = 100_000
Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON.")]


def job_run(
    name: Annotated[str, Parameter(help="The job function's name.")],
    /,  # so that a job may have an argument `--name`
    *arguments: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="Its arguments, as --key value.")
    ],
    wait: Annotated[bool, Parameter(negative=(), help="Wait, and print the result.")] = False,
    timeout: Annotated[float | None, Parameter(help="With --wait: seconds at most.")] = None,
    local: Annotated[
        bool, Parameter(negative=(), help="Call the function here and now; no job is recorded.")
    ] = False,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Enqueue a job. Arguments named like an option of this command go after `--`."""
    application = load(app)
    try:
        job = application.registry.get(name)
        values = parsed_values(job, _texts(arguments))
    except (UnknownJobError, ArgumentError) as error:
        raise UsageError(str(error)) from error
    if local:
        from framework_m.cli.local import run_here  # noqa: PLC0415 - seldom wanted

        say_json(run(run_here(application, job, values)))
        return DONE
    return run(_enqueue(application, name, values, wait=wait, timeout=timeout, as_json=as_json))


def job_status(
    job_id: Annotated[str, Parameter(help="The job's id.")],
    *,
    log: Annotated[bool, Parameter(negative=(), help="What it logged, too.")] = False,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Say how one job is getting on."""
    from framework_m.core.ids import is_uuid  # noqa: PLC0415 - `m --help` does without

    if not is_uuid(job_id):
        raise UsageError(f"{job_id!r} is not a job's id (a UUID)")
    job, lines = run(_get(load(app), job_id, log))
    if job is None:
        raise CommandFailedError(f"no job has the id {job_id}")
    if as_json:
        told = [{**asdict(line), "at": line.at.isoformat()} for line in lines]
        say_json({**job.model_dump(mode="json"), **({"log": told} if log else {})})
    else:
        _say_job(job, lines)
    return DONE


async def _enqueue(
    app: FrameworkM,
    name: str,
    values: dict[str, Any],
    *,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    async with app:
        await app.ports.require_schema()
        handle = await app.enqueue(name, **values)
        if not wait:
            say_json({"job_id": handle.job_id}) if as_json else say(handle.job_id)
            return DONE
        try:
            await handle.result(timeout)
        except JobFailedError as error:
            raise CommandFailedError(str(error)) from error
        except TimeoutError as error:
            raise CommandFailedError(f"job {handle} has not ended after {timeout:g} s") from error
        say_json((await handle.record()).result)
        return DONE


async def _get(app: FrameworkM, job_id: str, log: bool) -> tuple[JobLog | None, Sequence[LogLine]]:
    async with app:
        await app.ports.require_schema()
        lines = await app.jobs.lines(job_id, limit=_MOST_LINES) if log else ()
        return await app.jobs.get(job_id), lines


def _say_job(job: JobLog, lines: Sequence[LogLine]) -> None:
    for field, value in job.model_dump(mode="json", exclude={"attempts"}).items():
        if value not in (None, []):
            say(f"{field:<18}{value if isinstance(value, str) else json.dumps(value)}")
    for attempt in job.attempts:
        say(f"{f'attempt {attempt.attempt}':<18}{attempt.error}")
    for line in lines:
        name = f" {line.logger}" if line.logger else ""
        say(f"{line.at:%Y-%m-%d %H:%M:%S} {line.level}{name}: {line.message}")


def _texts(arguments: Sequence[str]) -> dict[str, str]:
    """`--key value`, `--key=value`, and `--flag` for true."""
    texts: dict[str, str] = {}
    left = list(arguments)
    while left:
        option = left.pop(0)
        if not option.startswith("--") or option == "--":
            raise UsageError(f"{option!r}: write a job's arguments as --key value")
        key, separator, value = option[2:].partition("=")
        if not separator:
            value = left.pop(0) if left and not left[0].startswith("--") else "true"
        texts[key.replace("-", "_")] = value
    return texts


def parsed_values(job: RegisteredJob, texts: dict[str, str]) -> dict[str, Any]:
    """Texts that fit their parameter as they are, else as JSON. Raises ArgumentError."""
    values: dict[str, Any] = dict(texts)
    try:
        job.arguments.dump(values)
    except ArgumentError as misfit:
        for name in {error.field.partition(".")[0] for error in misfit.errors} & values.keys():
            try:
                values[name] = json.loads(texts[name])
            except ValueError:
                continue
        job.arguments.dump(values)
    return values
