"""m schedule:list, m schedule:run, m schedule:pause, m schedule:resume, m schedule:delete."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import (
    DONE,
    CommandFailedError,
    UsageError,
    complain,
    printable,
    run,
    say,
    say_json,
)
from framework_m.cli.enqueued import check_timeout, tell
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json
from framework_m.core.errors import DocumentStateError, NotFoundError
from framework_m.core.text import nearest_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.schedule_views import ScheduleInfo

ScheduleName = Annotated[str, Parameter(help="The schedule, as m schedule:list shows it.")]


def schedule_list(*, as_json: Json = False, app: AppOption = None) -> int:
    """List the schedules: what they run and when, how they stand, their next due times."""
    found, absent = run(_list(load(app)))
    if as_json:
        say_json([schedule.model_dump(mode="json") for schedule in found])
    else:
        from framework_m.cli.schedule_views import say_schedules  # noqa: PLC0415 - as needed

        say_schedules(found)
    if absent:
        complain(f"declared in code, {_ONCE_STARTED}: {', '.join(absent)}")
    return DONE


def schedule_run(
    name: ScheduleName,
    /,
    *,
    wait: Annotated[bool, Parameter(negative=(), help="Wait, and print the result.")] = False,
    timeout: Annotated[float | None, Parameter(help="With --wait: seconds at most.")] = None,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Enqueue a schedule's job now, beside its due times, and print the job's id."""
    check_timeout(timeout, wait=wait)
    return run(_run(load(app), name, wait=wait, timeout=timeout, as_json=as_json))


def schedule_pause(name: ScheduleName, /, *, as_json: Json = False, app: AppOption = None) -> int:
    """Let a schedule fire no more; nothing is made up for a pause."""
    schedule = run(_set(load(app), name, enabled=False))
    if as_json:
        say_json(schedule.model_dump(mode="json"))
    else:
        say(f"{printable(name)} is paused")
    return DONE


def schedule_resume(name: ScheduleName, /, *, as_json: Json = False, app: AppOption = None) -> int:
    """Let a paused schedule fire again, from its next due time on."""
    from framework_m.cli.schedule_views import next_run_of  # noqa: PLC0415 - as above

    schedule = run(_set(load(app), name, enabled=True))
    if as_json:
        say_json(schedule.model_dump(mode="json"))
    else:
        say(f"{printable(name)} is enabled: {next_run_of(schedule)}")
    return DONE


def schedule_delete(name: ScheduleName, /, *, as_json: Json = False, app: AppOption = None) -> int:
    """Delete a schedule; jobs that it has enqueued stay."""
    run(_delete(load(app), name))
    if as_json:
        say_json({"name": name, "deleted": True})
    else:
        say(f"{printable(name)} is deleted")
    return DONE


_ONCE_STARTED = "and there once a worker or the web application has started"


@contextlib.asynccontextmanager
async def about(app: FrameworkM, name: str) -> AsyncIterator[None]:
    """The application is open, and told in words if there is no schedule of that name."""
    async with app:
        await app.ports.require_schema()
        try:
            yield
        except NotFoundError as error:
            raise CommandFailedError(await _no_such(app, name)) from error


def require_quotes(stray: Sequence[str]) -> None:
    """Without quotes an expression is many words, and its stars are names of files."""
    if stray:
        raise UsageError(f'{stray[0]!r}: write CRON in quotes, as "0 9 * * 1-5"')


def owned_by_code(name: str, module: str) -> CommandFailedError:
    """Its definition cannot be changed here, and what can be done instead."""
    return CommandFailedError(
        f"schedule {name!r} is declared in {module}: change it there; here it can be paused "
        f"with `m schedule:pause`"
    )


async def _no_such(app: FrameworkM, name: str) -> str:
    declared = app.ports.upkeep.declared.get(name)
    if declared is not None:
        return f"schedule {name!r} is declared in {declared.module}, {_ONCE_STARTED}"
    nearest = nearest_of(name, [it.name for it in await app.schedules.list()])
    hint = f"; did you mean {nearest!r}?" if nearest else "; m schedule:list lists them"
    return f"no schedule is named {name!r}{hint}"


async def _list(app: FrameworkM) -> tuple[Sequence[ScheduleInfo], Sequence[str]]:
    """What is there, and what is declared and not there yet."""
    async with app:
        await app.ports.require_schema()
        found = await app.schedules.list()
        return found, sorted(app.ports.upkeep.declared.keys() - {it.name for it in found})


async def _run(
    app: FrameworkM, name: str, *, wait: bool, timeout: float | None, as_json: bool
) -> int:
    async with about(app, name):
        handle = await app.schedules.run(name)
        return await tell(app, handle, wait=wait, timeout=timeout, as_json=as_json)


async def _set(app: FrameworkM, name: str, *, enabled: bool) -> ScheduleInfo:
    async with about(app, name):
        await (app.schedules.resume(name) if enabled else app.schedules.pause(name))
        return await app.schedules.get(name)


async def _delete(app: FrameworkM, name: str) -> None:
    from framework_m.core.doctypes.scheduled_job import ScheduledJob  # noqa: PLC0415 - as above

    async with about(app, name), app.transaction() as tx:
        records = tx.repository(ScheduledJob)
        record = await records.get(name, for_update=True)
        try:
            await records.delete(record)
        except DocumentStateError as error:
            raise owned_by_code(name, str(record.declared_in)) from error
