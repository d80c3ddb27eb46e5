"""Cron expressions: what may be written, and which readings of a clock it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from cronsim import CronSim, CronSimError

from framework_m.core.errors import CronError
from framework_m.core.scheduling.fields import FIELDS, Mistake

LONGEST = 255
"""Characters."""
LEAST_INTERVAL = timedelta(seconds=1)
GREATEST_INTERVAL = timedelta(days=366)

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every"
_DURATION = re.compile(r"(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[hms])+")
_PART_OF_DURATION = re.compile(r"([0-9.]+)([hms])")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
# What comes at all comes within forty years of any day (29 February on one weekday, around 2100).
_A_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - the reading of a clock, wherever that hangs


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression that has been checked. Made by `parse`."""

    text: str
    """As it was written, but for the spaces."""
    fields: tuple[str, ...]
    """Five or six, in capitals; none for `@every`."""
    every: timedelta | None = None
    """The interval of `@every`."""

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read `0 9 * * 1-5`, `*/10 * * * * *` (seconds first), `@daily` or `@every 1h30m`.

        Raises CronError, which says what is wrong and where, for everything that is none of these
        and for dates that never come.
        """
        try:
            return cls._read(text)
        except Mistake as mistake:
            raise CronError(text, str(mistake)) from None

    @classmethod
    def _read(cls, text: str) -> Cron:
        if len(text) > LONGEST:
            raise Mistake(f"it has {len(text)} characters, and at most {LONGEST} are read")
        words = text.split()
        if not words:
            raise Mistake("it is empty")
        if not text.isascii():
            odd = next(character for character in text if not character.isascii())
            raise Mistake(f"{odd!r} is no character of a cron expression")
        clean = " ".join(words)
        if words[0].lower() == _EVERY:
            return cls(clean, (), _interval(words[1:]))
        cron = cls(clean, tuple(_expanded(words)))
        cron._check()
        return cron

    def _check(self) -> None:
        for field, text in zip(FIELDS[-len(self.fields) :], self.fields, strict=True):
            field.check(text)
        try:
            first = next(self.readings(_A_DAY), None)
        except CronSimError as error:
            if str(error) == "Bad day-of-month":
                first = None  # how it says that no month of these has so many days
            else:
                raise Mistake(f"cronsim says: {error}") from error
        if first is None:
            raise Mistake("that day never comes: no month of these has it")

    @property
    def has_seconds(self) -> bool:
        """May it be due within a minute, not only at its beginning?"""
        if self.every is not None:
            return self.every % timedelta(minutes=1) != timedelta(0)
        return len(self.fields) == 6

    @property
    def least_gap(self) -> timedelta:
        """No two due times are closer together, by the clock on the wall; cheap to say."""
        if self.every is not None:
            return self.every
        return timedelta(seconds=1) if self.has_seconds else timedelta(minutes=1)

    @property
    def names_a_time(self) -> bool:
        """Five fields with neither minute nor hour under a star: a time of day, not an interval."""
        return len(self.fields) == 5 and not any(f.startswith("*") for f in self.fields[:2])

    def readings(self, after: datetime) -> Iterator[datetime]:
        """What a clock on the wall reads when this is due, after a reading; all without a zone.

        Rising, each once, and no end but that of the calendar. Not for `@every`, which reads no
        clock.
        """
        return CronSim(" ".join(self.fields), after)


def _expanded(words: list[str]) -> list[str]:
    """The fields, in capitals."""
    if words[0].upper().startswith(("TZ=", "CRON_TZ=")):
        raise Mistake("the time zone is given beside the expression, not in it")
    if words[0].startswith("@"):
        return _named(words)
    if len(words) not in (5, 6):
        raise Mistake(
            f"it has {len(words)} field{'s' * (len(words) != 1)}: there must be five (minute hour "
            "day month weekday), or six with the second first"
        )
    return [word.upper() for word in words]


def _named(words: list[str]) -> list[str]:
    name = words[0].lower()
    if name == "@reboot":
        raise Mistake("@reboot has no time: many processes start, and none of them is the machine")
    if name not in _NAMED:
        raise Mistake(f"{words[0]!r} is not known: {', '.join(_NAMED)} and @every are")
    if len(words) > 1:
        raise Mistake(f"nothing follows {name}, but {words[1]!r} does")
    return _NAMED[name].split()


def _interval(words: list[str]) -> timedelta:
    if len(words) != 1 or not _DURATION.fullmatch(words[0]):
        raise Mistake(
            f"@every takes one duration of hours, minutes and seconds, as in @every 1h30m or "
            f"@every 90s, not {' '.join(words)!r}"
        )
    seconds = sum(
        (Fraction(amount) * _SECONDS[unit] for amount, unit in _PART_OF_DURATION.findall(words[0])),
        start=Fraction(0),
    )
    if seconds.denominator != 1:
        raise Mistake(f"@every {words[0]} is no whole number of seconds")
    if not LEAST_INTERVAL.total_seconds() <= seconds <= GREATEST_INTERVAL.total_seconds():
        raise Mistake(f"@every takes 1s to {GREATEST_INTERVAL.days * 24}h, not {words[0]}")
    return timedelta(seconds=int(seconds))
