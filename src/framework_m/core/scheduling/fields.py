"""The fields of a cron expression, read to say what is wrong with them.

cronsim reads them, too, and decides; but of a mistake it only says "Bad hour".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"[0-9]+")
_NTH = "12345"


class Mistake(Exception):
    """What is wrong, for people."""


@dataclass(frozen=True, slots=True)
class Field:
    """One of the six."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    """Words for its numbers, from `low` on."""

    def check(self, text: str) -> None:
        """Raise a Mistake unless every term of the list is one that cron knows."""
        for term in text.split(","):
            if not term:
                raise Mistake(f"a comma in the {self.name} {text!r} has nothing beside it")
            self._check_term(term)

    def _check_term(self, term: str) -> None:
        base, slash, step = term.partition("/")
        if self._is_special(base):
            if slash:
                raise Mistake(f"in the {self.name} {term!r}, {base!r} takes no step")
            return
        if slash:
            self._check_step(term, step)
        if base != "*":
            self._check_range(base)

    def _check_step(self, term: str, step: str) -> None:
        if not _NUMBER.fullmatch(step) or int(step) == 0:
            raise Mistake(
                f"the step of the {self.name} {term!r} is {step!r}: it must be a number from 1"
            )

    def _check_range(self, base: str) -> None:
        first, dash, last = base.partition("-")
        low = self.number(first)
        if dash and self.number(last) < low:
            hint = "7 is Sunday, too" if last in {"0", "SUN"} else "write two ranges"
            raise Mistake(f"the {self.name} {base!r} runs backwards: {hint}")

    def _is_special(self, base: str) -> bool:
        """`L` and `LW` as a day; `5L` and `MON#2` as a weekday."""
        if self is DAY:
            return base in {"L", "LW"}
        if self is not WEEKDAY:
            return False
        value, hash_sign, nth = base.partition("#")
        if hash_sign:
            self.number(value)
            if nth not in _NTH or len(nth) != 1:
                raise Mistake(f"the weekday {base!r} must have a number from 1 to 5 after its #")
            return True
        if base == "L":
            raise Mistake("the weekday 'L' lacks its day: 5L is the last Friday of the month")
        if base.endswith("L") and _NUMBER.fullmatch(base[:-1]):
            self.number(base[:-1])
            return True
        return False

    def number(self, text: str) -> int:
        """A number or a name, as its number."""
        if text in self.names:
            return self.names.index(text) + self.low
        if _NUMBER.fullmatch(text):
            number = int(text)
            if self.low <= number <= self.high:
                return number
        raise Mistake(self._refusal(text))

    def _refusal(self, text: str) -> str:
        shown = text if _NUMBER.fullmatch(text) and len(text) < 12 else repr(text)
        allowed = f"{self.low} to {self.high}"
        if self.names:
            allowed += f", or {self.names[0]} to {self.names[-1]}"
        if text == "?":
            return f"the {self.name} is '?', which is Quartz's: write * instead"
        if not text:
            return f"the {self.name} lacks a number: it must be {allowed}"
        return f"the {self.name} is {shown}: it must be {allowed}"


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of the month", 1, 31)
MONTH = Field("month", 1, 12, _MONTHS)
WEEKDAY = Field("weekday", 0, 7, _WEEKDAYS)
FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)
