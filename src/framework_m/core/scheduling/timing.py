"""Due times: when a cron expression is due in a time zone.

Most days have one rule: something is due whenever the clock on the wall reads what the expression
says. Where that clock is put forward or back there are two, as in Debian's cron and in cronsim:

- An expression of five fields whose minute and hour both name a time (neither begins with a star:
  `30 2 * * *`, `0 9-17 * * 1-5`, `@daily`) is due once a day for each of these times, always. If
  02:30 is skipped, because the clock goes from 02:00 to 03:00, it is due at 03:00; if 02:30 comes
  twice, it is due the first time. Two that fall on one moment in this way are one.
- Everything else (a star or `*/n` in minute or hour, or six fields: `*/15 * * * *`, `0 * * * *`,
  `0 30 2 * * *`) is due whenever the clock reads so. `*/15` is due every 15 minutes through both
  nights; `0 30 2 * * *` is not due on the day that has no 02:30, and twice on the day that has two.

`@every 90s` counts seconds and knows no clock on the wall: it is due at `starts` and every 90
seconds from there, or, without `starts`, counted from the beginning of 1970 in UTC.

cronsim reads the expression. The rule itself is ours to carry out, because cronsim's due times
depend on where it begins: from within the second of two equal hours it returns to the first; where
clocks change by half an hour or at a quarter (Lord Howe, Chatham), it loses some, or never answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from framework_m.core.errors import UnknownTimeZoneError
from framework_m.core.scheduling.cron import Cron
from framework_m.core.text import nearest_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_WEEK = timedelta(weeks=1)  # no zone changes its clocks twice within one
_LAST_YEAR = 9900  # not where the calendar of Python ends, so that there is room to reckon
_PATIENCE = 50  # years; cronsim's own

_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
# Files beside the zones: what this machine is set to, and the same zones under other names.
_NOT_OF_THE_DATABASE = re.compile(r"localtime|posixrules|(posix|right)/.*", re.IGNORECASE)
_SAMPLE = 200
_SAMPLED = timedelta(days=4 * 366)


def zone(name: str) -> ZoneInfo:
    """The time zone that the IANA database calls so, or UnknownTimeZoneError."""
    if _NAME.fullmatch(name) and not _NOT_OF_THE_DATABASE.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass  # no such name, no such file, a folder, or a file of another kind
    known = [other for other in available_timezones() if _is_offered(other)]
    raise UnknownTimeZoneError(name, nearest_of(name, known) if len(name) <= 64 else None)


def _is_offered(name: str) -> bool:
    return not _NOT_OF_THE_DATABASE.fullmatch(name)


@dataclass(frozen=True, slots=True)
class Timing:
    """An expression, where its clock hangs, and from when to when it counts."""

    cron: Cron
    zone: ZoneInfo
    starts: datetime | None = None
    """Nothing is due before; this moment itself may be."""
    ends: datetime | None = None
    """Nothing is due after; this moment itself may be."""

    def after(self, moment: datetime) -> datetime | None:
        """The first due time after this moment, in UTC; None if there is none any more.

        Always the same, wherever one comes from: the due times of `between` are those that asking
        for one after the other gives. Nothing is due before 1970.
        """
        return next(self._due(moment), None)

    def spans(self, moment: datetime) -> bool:
        """Whether it counts then: neither before it starts nor after it ends."""
        return (self.starts is None or self.starts <= moment) and (
            self.ends is None or moment <= self.ends
        )

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The due times after a moment, up to and including another; made as they are read."""
        return takewhile(lambda due: due <= until, self._due(after))

    def smallest_gap(self) -> timedelta:
        """How close together two due times come, as far as 200 of them (or four years) show.

        By the clock on the wall: a night on which that is changed may bring two closer together.
        What has five fields is never due twice in a minute.
        """
        if self.cron.every is not None:
            return self.cron.every
        neighbours = pairwise(self.cron.readings(_local(_EPOCH, self.zone)))
        first, second = next(neighbours)
        sample = takewhile(lambda pair: pair[1] - first <= _SAMPLED, islice(neighbours, _SAMPLE))
        return min((later - sooner for sooner, later in sample), default=second - first)

    def _due(self, moment: datetime) -> Iterator[datetime]:
        begin = max(moment.astimezone(UTC), (self.starts or _EPOCH).astimezone(UTC) - _TICK)
        if begin.year >= _LAST_YEAR:
            return iter(())
        ends = self.ends
        due = self._endless(begin)
        return due if ends is None else takewhile(lambda moment: moment <= ends, due)

    def _endless(self, begin: datetime) -> Iterator[datetime]:
        if self.cron.every is not None:
            return _counted(self.cron.every, (self.starts or _EPOCH).astimezone(UTC), begin)
        begin = begin.replace(microsecond=0)  # due times are whole seconds
        if self.cron.names_a_time:
            return _once_each(self.cron, self.zone, begin)
        return _whenever_it_reads_so(self.cron, self.zone, begin)


def _counted(every: timedelta, anchor: datetime, begin: datetime) -> Iterator[datetime]:
    due = anchor + ((begin - anchor) // every + 1) * every
    while due.year < _LAST_YEAR:
        yield due
        due += every


def _once_each(cron: Cron, zone: ZoneInfo, begin: datetime) -> Iterator[datetime]:
    """The first rule: each reading is due once, if need be at the next one that there is."""
    last = begin
    for reading in cron.readings(_local(begin, zone)):
        if reading.year >= _LAST_YEAR:
            return
        moment = _first_moment(reading, zone)
        # Not later: the second of two that a change of clocks has put together, or, begun from
        # within the second of two equal hours, what was due in the first.
        if moment > last:
            yield moment
            last = moment


def _first_moment(reading: datetime, zone: ZoneInfo) -> datetime:
    there = reading.replace(tzinfo=zone)  # the first of two, by fold=0
    moment = there.astimezone(UTC)
    if _local(moment, zone) == reading:
        return moment
    # The clock never reads so: by the offset after its change that were before it, and the reverse.
    return _bisected(zone, there.replace(fold=1).astimezone(UTC), moment)


def _whenever_it_reads_so(cron: Cron, zone: ZoneInfo, begin: datetime) -> Iterator[datetime]:
    """The second rule: from one change of the clocks to the next, the readings are moments."""
    last = since = begin
    offset = _offset(since, zone)
    searched = _local(since, zone)  # nothing lies between this reading and the next
    readings = cron.readings(searched)
    reading = next(readings, None)
    while reading is not None:
        moment = (reading - offset).replace(tzinfo=UTC)
        if moment.year > min(last.year + _PATIENCE, _LAST_YEAR):
            return
        change = _change(zone, since, moment)
        if change is None:
            yield moment
            last = since = moment
            searched = reading
            reading = next(readings, None)
            continue
        since, offset = change, _offset(change, zone)
        resumed = _local(since, zone) - _SECOND
        if not searched <= resumed < reading:
            searched = resumed
            readings = cron.readings(searched)
            reading = next(readings, None)


def _change(zone: ZoneInfo, since: datetime, until: datetime) -> datetime | None:
    """The first moment after one and up to another from which the clock has another offset."""
    offset = _offset(since, zone)
    while since < until:
        step = min(since + _WEEK, until)
        if _offset(step, zone) != offset:
            return _bisected(zone, since, step)
        since = step
    return None


def _bisected(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    offset = _offset(before, zone)
    while after - before > _SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return _local(moment, zone) - moment.replace(tzinfo=None)


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in the zone reads."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
