"""How schedules and their due times look; all times are in the schedule's own zone."""

from __future__ import annotations

import itertools
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from framework_m.cli.console import printable, say, say_table, table_lines
from framework_m.core.errors import UnknownTimeZoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from framework_m.core.doctypes.schedule_views import (
        ScheduleFiring,
        ScheduleInfo,
        SchedulePreview,
    )

_WIDTH = 100
_INDENT = " " * 7
_COUNTED = 1000
"""Missed due times are counted up to here; see ScheduleFiring."""


def say_schedules(found: Sequence[ScheduleInfo]) -> None:
    """Three lines each: how it stands, what it does and when, its next due times."""
    headings = ("NAME", "STATE", "LAST", "DECLARED IN")
    rows = [
        (printable(it.name), _state(it), _last(it), printable(it.declared_in or "-"))
        for it in found
    ]
    heading, *lines = table_lines(headings, rows)
    say(heading)
    for line, schedule in zip(lines, found, strict=True):
        say(line)
        for more in _more(schedule):
            say(more)


def say_saved(schedule: ScheduleInfo) -> None:
    """What was saved, as it was understood, so that a mistake is seen."""
    say(f"{printable(schedule.name)} is saved" + ("" if schedule.enabled else ", and paused"))
    for line in _more(schedule):
        say(line)


def next_run_of(schedule: ScheduleInfo) -> str:
    """`next 2026-11-26 09:00, Europe/Berlin`, or why there is none."""
    if not schedule.next_runs:
        return "it is never due"
    zone = zone_of(schedule.timezone)
    return f"next {in_a_row(schedule.next_runs[:1], zone)}, {zone}"


def say_history(past: Sequence[ScheduleFiring], timezone: str) -> None:
    zone = zone_of(timezone)
    rows = [
        (
            _moment(it.due_at.astimezone(zone)),
            it.status.value,
            "-" if it.lag_seconds is None else f"{it.lag_seconds:.1f} s",
            it.job_id or "-",
            printable(_detail(it, zone)),
        )
        for it in past
    ]
    say_table(("DUE", "STATUS", "LAG", "JOB", "DETAIL"), rows)


def say_preview(shown: SchedulePreview) -> None:
    """Weekdays and offsets, too: they are what is easily got wrong."""
    say(shown.description)
    for moment in shown.next_runs:
        say(f"  {moment:%a %Y-%m-%d %H:%M:%S} {_offset(moment)}")


def zone_of(timezone: str) -> tzinfo:
    """The zone; UTC for one that somebody has written past the checks."""
    from framework_m.core.scheduling.timing import zone  # noqa: PLC0415 - `m --help` does without

    try:
        return zone(timezone)
    except UnknownTimeZoneError:
        return UTC


def in_a_row(moments: Sequence[datetime], zone: tzinfo) -> str:
    """`2026-11-26 09:00, 12:00, 11-27 09:00`: of a date what differs from the one before."""
    local = [moment.astimezone(zone) for moment in moments]
    shown = [_moment(moment) for moment in local[:1]]
    for before, moment in itertools.pairwise(local):
        if before.date() == moment.date():
            shown.append(_time(moment))
        elif before.year == moment.year:
            shown.append(f"{moment:%m-%d} {_time(moment)}")
        else:
            shown.append(_moment(moment))
    return ", ".join(shown)


def _more(schedule: ScheduleInfo) -> Iterator[str]:
    # A broken record may lack its words.
    when = schedule.description or f"{schedule.cron_expression}, {schedule.timezone}"
    yield from _filled("runs", printable(f"{schedule.function} {when}"))
    if schedule.next_runs:
        yield from _filled("next", in_a_row(schedule.next_runs, zone_of(schedule.timezone)))
    elif schedule.enabled:
        yield from _filled("next", "never")


def _filled(word: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"  {word} ",
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _state(schedule: ScheduleInfo) -> str:
    return "enabled" if schedule.enabled else "paused"


def _last(schedule: ScheduleInfo) -> str:
    if schedule.last_run is None:
        return "-"
    became = schedule.last_status.value if schedule.last_status else "?"
    return f"{became} {_moment(schedule.last_run.astimezone(zone_of(schedule.timezone)))}"


def _detail(firing: ScheduleFiring, zone: tzinfo) -> str:
    told = [firing.detail] if firing.detail else []
    if firing.until is not None:
        number = f"{firing.count} or more" if firing.count >= _COUNTED else str(firing.count)
        told.insert(0, f"{number} due times until {_moment(firing.until.astimezone(zone))}")
    return ": ".join(told)


def _moment(local: datetime) -> str:
    return f"{local:%Y-%m-%d} {_time(local)}"


def _time(local: datetime) -> str:
    """Seconds if it has some; the offset if clocks are put back then and read so twice."""
    shown = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{shown}{_offset(local)}" if is_twice else shown


def _offset(local: datetime) -> str:
    return local.isoformat()[19:]
