"""m schedule:history, m schedule:preview: due times that were, and that would be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import DONE, UsageError, complain, run, say_json
from framework_m.cli.job_filters import moment
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json
from framework_m.cli.schedules import ScheduleName, about, require_quotes
from framework_m.core.errors import CronError, UnknownTimeZoneError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.schedule_views import ScheduleFiring

_LARGEST_PAGE = 100_000
_MOST_PREVIEWED = 1000


def schedule_history(
    name: ScheduleName,
    /,
    *,
    limit: Annotated[int, Parameter(help="How many.")] = 20,
    before: Annotated[
        str | None, Parameter(help="Only due times before: what the page before ended with.")
    ] = None,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Say what became of a schedule's due times, newest first."""
    if not 1 <= limit <= _LARGEST_PAGE:
        raise UsageError(f"--limit must be from 1 to {_LARGEST_PAGE}")
    place = moment("--before", before)
    past, timezone = run(_history(load(app), name, limit + 1, place))
    shown = past[:limit]
    if as_json:
        say_json([firing.model_dump(mode="json") for firing in shown])
    else:
        from framework_m.cli.schedule_views import say_history  # noqa: PLC0415 - as needed

        say_history(shown, timezone)
    if len(past) > limit:
        complain(f"there are more: --before {shown[-1].due_at.isoformat()}")
    return DONE


def schedule_preview(
    cron: Annotated[
        str, Parameter(help='A cron expression in quotes: "0 9 * * 1-5", @daily, "@every 90s".')
    ],
    /,
    *stray: Annotated[str, Parameter(show=False)],
    timezone: Annotated[str, Parameter(help="The zone it goes by.")] = "UTC",
    count: Annotated[int, Parameter(help="How many due times.")] = 10,
    as_json: Json = False,
) -> int:
    """Say what a cron expression means, and when it would be due next."""
    from framework_m.core.scheduling.previews import preview  # noqa: PLC0415 - as above

    require_quotes(stray)
    if not 1 <= count <= _MOST_PREVIEWED:
        raise UsageError(f"--count must be from 1 to {_MOST_PREVIEWED}")
    try:
        shown = preview(cron, timezone, count=count)
    except CronError as error:
        raise UsageError(f"CRON: {error}") from error
    except UnknownTimeZoneError as error:
        raise UsageError(f"--timezone: {error}") from error
    if as_json:
        say_json(shown.model_dump(mode="json"))
    else:
        from framework_m.cli.schedule_views import say_preview  # noqa: PLC0415 - as above

        say_preview(shown)
    return DONE


async def _history(
    app: FrameworkM, name: str, limit: int, before: datetime | None
) -> tuple[Sequence[ScheduleFiring], str]:
    async with about(app, name):
        past = await app.schedules.history(name, limit=limit, before=before)
        return past, (await app.schedules.get(name)).timezone
