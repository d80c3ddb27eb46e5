"""Which due times become jobs when a schedule's turn has come: catch-up, decided by one rule."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from framework_m.core.doctypes.scheduled_job import CatchUp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_AT_ONCE = 100
"""Due times of one schedule that become jobs in one transaction; the rest follows at once."""
_COUNTED = 1000
"""Missed due times that are counted; of more it is said that there were at least so many."""
_FIRST_LOOK_BACK = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)


class Times(Protocol):
    """When a schedule is due; see core.scheduling.timing."""

    def after(self, moment: datetime) -> datetime | None: ...

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]: ...


@dataclass(frozen=True, slots=True)
class CatchUpRule:
    """What is done about due times that come late."""

    catch_up: CatchUp
    window: timedelta
    """With ALL: how old a due time may be that is made up."""
    grace: timedelta
    """How late a due time may be that counts as being in time."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Due times that become no job, as nobody was there for them."""

    first: datetime
    last: datetime
    count: int
    """At least so many, if it is 1000."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done about one schedule now."""

    due: Sequence[datetime]
    """The due times that become jobs, in order."""
    missed: Missed | None
    next_run: datetime | None
    """The due time after these: ahead, or passed already, if there were too many for one turn."""


def turn(times: Times, rule: CatchUpRule, pending: datetime, now: datetime) -> Turn:
    """Decide about all due times from the pending one until now.

    In time is what is at most `grace` late, and always becomes a job. The rest is made up as
    `catch_up` says: not at all, the last of them if nothing is in time, or all in the window.
    """
    fresh = now - rule.grace
    begin = pending
    if pending < fresh:
        match rule.catch_up:
            case CatchUp.ALL:
                begin = max(pending, min(fresh, now - rule.window))
            case CatchUp.LAST:
                begin = _begin_of_last(times, pending, fresh, now)
            case CatchUp.NONE:
                begin = fresh
    due = list(itertools.islice(_from(times, pending, begin, now), _AT_ONCE))
    missed = _missed(times, pending, due[0] if due else begin)
    return Turn(due, missed, times.after(due[-1] if due else now))


def _from(times: Times, pending: datetime, begin: datetime, now: datetime) -> Iterator[datetime]:
    """From `begin` until now; the pending one is due whatever its record says by now."""
    if begin <= pending:
        yield pending
        begin = pending + _TICK
    yield from times.between(begin - _TICK, now)


def _begin_of_last(times: Times, pending: datetime, fresh: datetime, now: datetime) -> datetime:
    """Where those begin that are in time, or the last one before."""
    is_in_time = next(times.between(fresh - _TICK, now), None) is not None
    return fresh if is_in_time else _latest(times, pending, fresh)


def _missed(times: Times, pending: datetime, until: datetime) -> Missed | None:
    """Of the due times from the pending one until (not including) that moment."""
    if pending >= until:
        return None
    until -= _TICK
    some = list(itertools.islice(times.between(pending, until), _COUNTED - 1))
    is_many = len(some) == _COUNTED - 1
    last = _latest(times, pending, until) if is_many else [pending, *some][-1]
    return Missed(pending, last, 1 + len(some))


def _latest(times: Times, pending: datetime, until: datetime) -> datetime:
    """The last due time up to then, looked for from the end: there may be years of seconds."""
    back = _FIRST_LOOK_BACK
    while until - back > pending:
        last = _last(times.between(until - back, until))
        if last is not None:
            return last
        back *= 2
    return _last(times.between(pending, until)) or pending


def _last(moments: Iterator[datetime]) -> datetime | None:
    last = None
    for moment in moments:
        last = moment
    return last
