"""Which due times become jobs, as a rule on plain times."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m.core.doctypes.scheduled_job import CatchUp
from framework_m.core.scheduling.due_times import CatchUpRule, Missed, Turn, turn

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class Every:
    """Due at every multiple of a span."""

    def __init__(self, span: timedelta) -> None:
        self.span = span

    def after(self, moment: datetime) -> datetime:
        return NOON + ((moment - NOON) // self.span + 1) * self.span

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        while (after := self.after(after)) <= until:
            yield after


def rule(catch_up: CatchUp, *, window: timedelta = DAY, grace: float = 10) -> CatchUpRule:
    return CatchUpRule(catch_up, window, timedelta(seconds=grace))


def minutes(*numbers: int) -> list[datetime]:
    return [NOON + n * MINUTE for n in numbers]


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_in_time_each_due_time_becomes_a_job(catch_up: CatchUp) -> None:
    found = turn(Every(MINUTE), rule(catch_up), NOON, NOON + timedelta(seconds=3))
    assert found == Turn(minutes(0), None, NOON + MINUTE)


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_several_that_are_late_within_the_grace_are_all_in_time(catch_up: CatchUp) -> None:
    second = timedelta(seconds=1)
    found = turn(Every(second), rule(catch_up), NOON, NOON + 7.5 * second)
    assert found.due == [NOON + n * second for n in range(8)]
    assert found.missed is None
    assert found.next_run == NOON + 8 * second


def test_none_makes_nothing_up() -> None:
    found = turn(Every(MINUTE), rule(CatchUp.NONE), NOON, NOON + 5.5 * MINUTE)
    missed = Missed(NOON, NOON + 5 * MINUTE, 6)
    assert found == Turn([], missed, NOON + 6 * MINUTE)


def test_none_still_makes_the_one_that_is_in_time() -> None:
    found = turn(Every(MINUTE), rule(CatchUp.NONE), NOON, NOON + 5.1 * MINUTE)
    assert found == Turn(minutes(5), Missed(NOON, NOON + 4 * MINUTE, 5), NOON + 6 * MINUTE)


def test_last_makes_up_the_last_one() -> None:
    found = turn(Every(MINUTE), rule(CatchUp.LAST), NOON, NOON + 5.5 * MINUTE)
    assert found == Turn(minutes(5), Missed(NOON, NOON + 4 * MINUTE, 5), NOON + 6 * MINUTE)


def test_last_makes_up_a_single_one_however_old() -> None:
    found = turn(Every(1000 * DAY), rule(CatchUp.LAST), NOON, NOON + 999 * DAY)
    assert found == Turn([NOON], None, NOON + 1000 * DAY)


def test_last_makes_up_nothing_beside_one_that_is_in_time() -> None:
    found = turn(Every(MINUTE), rule(CatchUp.LAST), NOON, NOON + 5.1 * MINUTE)
    assert found.due == minutes(5)


def test_last_is_found_from_the_end() -> None:
    """Years of seconds would otherwise be gone through one by one."""
    asked = []

    class Counting(Every):
        def after(self, moment: datetime) -> datetime:
            asked.append(moment)
            return super().after(moment)

    now = NOON + 3000 * DAY + timedelta(seconds=30.5)
    found = turn(Counting(timedelta(seconds=30)), rule(CatchUp.LAST), NOON, now)
    assert found.due == [NOON + 3000 * DAY + timedelta(seconds=30)]
    assert found.missed is not None
    assert found.missed.count == 1000, "at least so many"
    assert found.missed.last == NOON + 3000 * DAY
    assert len(asked) < 1200


def test_all_makes_up_all() -> None:
    found = turn(Every(MINUTE), rule(CatchUp.ALL), NOON, NOON + 5.5 * MINUTE)
    assert found == Turn(minutes(0, 1, 2, 3, 4, 5), None, NOON + 6 * MINUTE)


def test_all_makes_up_what_lies_in_the_window() -> None:
    within = rule(CatchUp.ALL, window=2.5 * MINUTE)
    found = turn(Every(MINUTE), within, NOON, NOON + 5 * MINUTE)
    assert found == Turn(minutes(3, 4, 5), Missed(NOON, NOON + 2 * MINUTE, 3), NOON + 6 * MINUTE)


def test_a_window_below_the_grace_is_the_grace() -> None:
    within = rule(CatchUp.ALL, window=timedelta(seconds=1), grace=150)
    found = turn(Every(MINUTE), within, NOON, NOON + 5 * MINUTE)
    assert found.due == minutes(3, 4, 5)


def test_many_are_made_up_a_hundred_at_a_time() -> None:
    made_up: list[datetime] = []
    now, pending = NOON + 250.5 * MINUTE, NOON
    turns = 0
    while pending <= now:
        found = turn(Every(MINUTE), rule(CatchUp.ALL), pending, now)
        assert found.next_run is not None
        made_up += found.due
        pending, turns = found.next_run, turns + 1
    assert made_up == minutes(*range(251))
    assert turns == 3


def test_the_last_due_time_of_all_leaves_none() -> None:
    class Once(Every):
        def after(self, moment: datetime) -> datetime | None:  # type: ignore[override]
            return None

        def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
            return iter(())

    found = turn(Once(MINUTE), rule(CatchUp.LAST), NOON, NOON + DAY)
    assert found == Turn([NOON], None, None)


spans = st.integers(1, 500).map(lambda seconds: timedelta(seconds=seconds))


@given(st.sampled_from(CatchUp), spans, st.floats(0, 900), spans, spans)
def test_every_due_time_is_either_a_job_or_missed(
    catch_up: CatchUp, span: timedelta, late: float, window: timedelta, grace: timedelta
) -> None:
    times, now = Every(span), NOON + timedelta(seconds=late)
    by = CatchUpRule(catch_up, window, grace)
    due: list[datetime] = []
    pending, missed = NOON, 0
    while pending <= now:
        found = turn(times, by, pending, now)
        assert found.next_run is not None
        assert found.next_run > pending
        if found.missed is not None:
            missed += found.missed.count
            assert found.missed.last < (found.due[0] if found.due else found.next_run)
        due += found.due
        pending = found.next_run
    every = [NOON, *times.between(NOON, now)]
    assert len(due) + missed == len(every)
    assert due == every[len(every) - len(due) :]
    assert pending == times.after(now)
    in_time = [moment for moment in every if moment >= now - grace]
    assert due[len(due) - len(in_time) :] == in_time
    match catch_up:
        case CatchUp.NONE:
            assert due == in_time
        case CatchUp.LAST:
            assert due == (in_time or every[-1:])
        case CatchUp.ALL:
            assert due == [at for at in every if at >= min(now - window, now - grace)]
