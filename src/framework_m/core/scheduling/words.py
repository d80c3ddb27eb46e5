"""A schedule in words, for listings and for whoever has to check what was written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cronsim.explain import explain

from framework_m.core.scheduling.cron import Cron
from framework_m.core.scheduling.fields import MONTH, WEEKDAY

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_MOST_TIMES = 4
"""Of a day, spelled out."""
_UNITS = ((timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))
_FULL = {"second": 60, "minute": 60, "hour": 24}


def describe(cron: Cron, timezone: str) -> str:
    """`every weekday at 09:00, Europe/Berlin`: lower case, but for names."""
    return f"{_words(cron)}, {timezone}"


def _words(cron: Cron) -> str:
    if cron.every is not None:
        return _every(cron.every)
    second, minute, hour, *days = ("0", *cron.fields)[-6:]
    ours = _interval(second, minute, hour, days) or _at_times(second, minute, hour, days)
    if ours is not None:
        return ours
    theirs = explain(" ".join(cron.fields))
    return theirs[:1].lower() + theirs[1:]


def _every(interval: timedelta) -> str:
    for unit, name in _UNITS:
        if interval % unit == timedelta(0):
            return _counted(interval // unit, name)
    return _counted(interval // timedelta(seconds=1), "second")


def _counted(number: int, unit: str) -> str:
    return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def _interval(second: str, minute: str, hour: str, days: Sequence[str]) -> str | None:
    """What is due at even distances, every day: `*/5 * * * *`."""
    match (second, minute, hour, *days):
        case (star, "*", "*", "*", "*", "*") if star.startswith("*"):
            return _step(star, "second")
        case ("0", star, "*", "*", "*", "*") if star.startswith("*"):
            return _step(star, "minute")
        case ("0", "0", star, "*", "*", "*") if star.startswith("*"):
            return _step(star, "hour")
        case ("0", number, "*", "*", "*", "*") if number.isdigit():
            return f"every hour at minute {int(number)}"
    return None


def _step(field: str, unit: str) -> str | None:
    """`*/7` is left to others: it is due every seven minutes only until the hour is over."""
    step = "1" if field == "*" else field.removeprefix("*/")
    if not step.isdigit() or _FULL[unit] % int(step) or int(step) == _FULL[unit]:
        return None
    return _counted(int(step), unit)


def _at_times(second: str, minute: str, hour: str, days: Sequence[str]) -> str | None:
    parts = [_numbers(field) for field in (second, minute, hour)]
    dates = _dates(*days)
    if dates is None or any(part is None for part in parts):
        return None
    seconds, minutes, hours = (part or [] for part in parts)
    if len(seconds) * len(minutes) * len(hours) > _MOST_TIMES:
        return None
    tail = "" if second == "0" else ":{:02}"
    times = [
        ("{:02}:{:02}" + tail).format(h, m, s) for h in hours for m in minutes for s in seconds
    ]
    return f"{dates} at {_joined(times)}"


def _dates(day: str, month: str, weekday: str) -> str | None:
    if (day, month, weekday) == ("*", "*", "*"):
        return "every day"
    if (day, month) == ("*", "*"):
        return _weekdays(weekday)
    if weekday == "*":
        ordinal = _day_of_month(day)
        of_month = _of_month(month)
        return ordinal and of_month and f"on the {ordinal} of {of_month}"
    return None


def _weekdays(field: str) -> str | None:
    if "," not in field and ("#" in field or field.endswith("L")):
        return f"on the {_weekday_of_month(field)} of every month"
    numbers = _weekday_numbers(field)
    if numbers == [1, 2, 3, 4, 5]:
        return "every weekday"
    if numbers is None or len(numbers) == 7:
        return None
    return f"every {_joined([_DAYS[n] for n in numbers])}"


def _weekday_of_month(field: str) -> str:
    """`MON#2` and `5L`."""
    name, _, nth = field.partition("#")
    if nth:
        return f"{_ordinal(int(nth))} {_DAYS[WEEKDAY.number(name)]}"
    return f"last {_DAYS[int(field[:-1])]}"


def _weekday_numbers(field: str) -> list[int] | None:
    """From Monday on; Sunday, which is 0 and 7, comes last."""
    numbers: set[int] = set()
    for term in field.split(","):
        first, dash, last = term.partition("-")
        if not _is_plain(first, WEEKDAY.names) or (dash and not _is_plain(last, WEEKDAY.names)):
            return None
        low = WEEKDAY.number(first)
        numbers.update(n or 7 for n in range(low, (WEEKDAY.number(last) if dash else low) + 1))
    return sorted(numbers)


def _day_of_month(field: str) -> str | None:
    if field in {"L", "LW"}:
        return "last day" if field == "L" else "last weekday"
    return _ordinal(int(field)) if field.isdigit() else None


def _of_month(field: str) -> str | None:
    if field == "*":
        return "every month"
    months = field.split(",")
    if not all(_is_plain(month, MONTH.names) for month in months):
        return None
    return _joined([_MONTHS[n - 1] for n in sorted({MONTH.number(month) for month in months})])


def _is_plain(text: str, names: Sequence[str]) -> bool:
    return text.isdigit() or text in names


def _numbers(field: str) -> list[int] | None:
    terms = field.split(",")
    return sorted({int(t) for t in terms}) if all(t.isdigit() for t in terms) else None


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number in {11, 12, 13} else ending}"


def _joined(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
