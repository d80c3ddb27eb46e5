"""m schedule:save: make a schedule, or change it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from framework_m.cli.completion import job_names
from framework_m.cli.console import DONE, UsageError, run, say_json
from framework_m.cli.enqueued import hint_at
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json
from framework_m.cli.schedules import about, owned_by_code, require_quotes
from framework_m.core.errors import InvalidDocumentError, NotFoundError, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.schedule_views import ScheduleInfo
    from framework_m.core.doctypes.scheduled_job import ScheduledJob
    from framework_m.core.jobs.registry import RegisteredJob

_FIELDS = (
    *("timezone", "queue", "priority", "overlap", "catch_up", "catch_up_window"),
    *("start_date", "end_date", "jitter", "enabled"),
)
OPTIONS = frozenset((*_FIELDS, "disabled", "json", "help", "app"))
"""A job's parameter of such a name has its option after `--`."""
_POSITIONAL = {"name": "NAME", "function": "FUNCTION", "cron_expression": "CRON"}
_NONE = "none"
"""Takes back what a field holds that need not hold anything."""


def schedule_save(
    name: Annotated[str, Parameter(help="What the schedule is called.")],
    function: Annotated[
        str, Parameter(help="The job function's name, or where it is.", completer=job_names)
    ],
    cron: Annotated[
        str,
        Parameter(help='When, as in crontab and in quotes: "0 9 * * 1-5", @daily, "@every 90s".'),
    ],
    /,
    *arguments: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="The job's arguments, as --key value.")
    ],
    timezone: Annotated[str | None, Parameter(help="The zone it goes by; UTC at first.")] = None,
    queue: Annotated[
        str | None, Parameter(help="Instead of the function's own; `none` for that.")
    ] = None,
    priority: Annotated[
        Literal["1", "2", "3", "4", "none"] | None,
        Parameter(help="1 is the most urgent; `none` for the function's own."),
    ] = None,
    overlap: Annotated[
        Literal["allow", "skip"] | None,
        Parameter(help="While a job of an earlier due time has not ended; allow at first."),
    ] = None,
    catch_up: Annotated[
        Literal["none", "last", "all"] | None,
        Parameter(help="Of due times that nobody was there for; last at first."),
    ] = None,
    catch_up_window: Annotated[
        float | None, Parameter(help="With --catch-up all: how many seconds back; a day at first.")
    ] = None,
    start_date: Annotated[
        str | None, Parameter(help="The first moment at which it may fire; `none` for any.")
    ] = None,
    end_date: Annotated[
        str | None, Parameter(help="The last moment at which it may fire; `none` for any.")
    ] = None,
    jitter: Annotated[
        float | None, Parameter(help="Each job waits up to so many seconds; 0 at first.")
    ] = None,
    enabled: Annotated[
        bool | None, Parameter(negative="--disabled", help="Whether it fires; enabled at first.")
    ] = None,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Make a schedule, or change the one of that name: what is left out stays as it is.

    Arguments named like an option of this command go after `--`; those of the function:
    m job:run FUNCTION --help.
    """
    if not name.strip() or "/" in name:
        raise UsageError("NAME: must be a text without a slash")
    require_quotes([word for word in arguments[:1] if not word.startswith("-")])
    asked: dict[str, Any] = {
        "timezone": timezone,
        "queue": queue,
        "priority": priority,
        "overlap": overlap,
        "catch_up": catch_up,
        "catch_up_window": catch_up_window,
        "start_date": _moment("--start-date", start_date),
        "end_date": _moment("--end-date", end_date),
        "jitter": jitter,
        "enabled": enabled,
    }
    given = {field: _value(field, it) for field, it in asked.items() if it is not None}
    application = load(app)
    job = _job(application, function)
    return run(_save(application, name, job, cron, given, arguments, as_json=as_json))


def _value(field: str, given: Any) -> Any:
    may_be_none = field in ("queue", "priority", "start_date", "end_date")
    return None if may_be_none and given == _NONE else given


def _moment(option: str, text: str | None) -> datetime | str | None:
    """A time without an offset is one of the schedule's own zone."""
    if text is None or text == _NONE:
        return text
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text}: write it as 2026-11-25, 2026-11-25T09:00+01:00 or none"
        ) from error


def _job(app: FrameworkM, function: str) -> RegisteredJob:
    from framework_m.core.scheduling.rules import job_of  # noqa: PLC0415 - `m --help` does without

    try:
        return job_of(app.registry, function)
    except UnknownJobError as error:
        raise UsageError(str(error)) from error


async def _save(
    app: FrameworkM,
    name: str,
    job: RegisteredJob,
    cron: str,
    given: Mapping[str, Any],
    words: tuple[str, ...],
    *,
    as_json: bool,
) -> int:
    async with about(app, name):
        async with app.transaction():
            args = _arguments(job, await _stored(app, name), words)
            try:
                record = await app.schedule(job.name, cron, name=name, args=args, **given)
            except InvalidDocumentError as error:
                raise UsageError(_told(error)) from error
        saved = await app.schedules.get(name)
        _say(saved, as_json)
        if saved.enabled:
            await hint_at(app, record.queue or job.queue)
    return DONE


def _say(saved: ScheduleInfo, as_json: bool) -> None:
    if as_json:
        say_json(saved.model_dump(mode="json"))
        return
    from framework_m.cli.schedule_views import say_saved  # noqa: PLC0415 - as above

    say_saved(saved)


async def _stored(app: FrameworkM, name: str) -> ScheduledJob | None:
    """The record as it is. Raises CommandFailedError if it is code's to change."""
    from framework_m.core.doctypes.scheduled_job import ScheduledJob  # noqa: PLC0415 - as above

    try:
        stored = await app.repository(ScheduledJob).get(name, for_update=True)
    except NotFoundError:
        stored = None
    if (declared := app.ports.upkeep.declared.get(name)) is not None:
        raise owned_by_code(name, declared.module)
    if stored is not None and stored.declared_in is not None:  # by another application
        raise owned_by_code(name, stored.declared_in)
    return stored


def _arguments(
    job: RegisteredJob, stored: ScheduledJob | None, words: tuple[str, ...]
) -> dict[str, Any]:
    """Those given, and beside them the stored ones, while it is the same function."""
    from framework_m.cli.job_arguments import parsed  # noqa: PLC0415 - as above

    known: dict[str, Any] = {}
    if stored is not None and stored.function == job.name:
        # Less what the function has ceased to take: nobody could take that back here.
        known = {key: it for key, it in stored.args.items() if key in job.arguments.names}
    given = parsed(job, words, taken=OPTIONS, command="m schedule:save", known=known)
    return {**known, **given}


def _told(error: InvalidDocumentError) -> str:
    """What is wrong, by the words of this command."""
    return "; ".join(f"{_written(found.field)}: {found.message}" for found in error.errors)


def _written(field: str) -> str:
    from framework_m.cli.job_arguments import option_of  # noqa: PLC0415 - as above

    if field in _POSITIONAL:
        return _POSITIONAL[field]
    argument, _, inside = field.removeprefix("args.").partition(".")
    return option_of(argument) + (f" {inside}" if inside else "")
