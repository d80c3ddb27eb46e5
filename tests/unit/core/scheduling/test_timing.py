"""Due times: bounds, intervals, and one answer wherever one begins."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework_m.core.errors import UnknownTimeZoneError
from framework_m.core.scheduling.cron import Cron
from framework_m.core.scheduling.timing import Timing, zone
from tests.support.cron_expressions import EXPRESSIONS
from tests.support.due_times import timing


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def all_of(due: Timing, after: str, until: str) -> list[str]:
    return [f"{moment:%d %H:%M:%S}" for moment in due.between(utc(after), utc(until))]


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5"])
def test_a_zone_has_its_name(name: str) -> None:
    assert zone(name).key == name


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "Europe", "Europe/", "/Europe/Berlin", "../x", "Europe/../UTC", "/etc/passwd"),
        *("UTC\x00", "\x00", "localtime", "posixrules", "posix/UTC", "right/UTC", "zone.tab"),
        *("tzdata.zi", "leapseconds", "UTC\n", "Ünknown", "\ud800", "x" * 10_000, "CEST", "+02:00"),
    ],
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimeZoneError) as caught:
        zone(name)
    assert caught.value.timezone == name


@pytest.mark.parametrize("name", ["Berlin", "europe/berlin", "Europe/Berln"])
def test_a_refusal_names_the_nearest_zone(name: str) -> None:
    with pytest.raises(UnknownTimeZoneError, match="did you mean 'Europe/Berlin'"):
        zone(name)


def test_a_due_time_comes_strictly_after() -> None:
    daily = timing("0 9 * * *", "Europe/Berlin")
    due = utc("2026-11-20 08:00")
    assert daily.after(due - timedelta(microseconds=1)) == due
    assert daily.after(due) == due + timedelta(days=1)
    assert daily.after(due.astimezone(timezone(timedelta(hours=-7)))) == due + timedelta(days=1)


def test_it_is_told_in_utc() -> None:
    due = timing("0 9 * * *", "Asia/Kolkata").after(utc("2026-11-20 00:00"))
    assert due is not None
    assert due.tzinfo is UTC


def test_it_may_be_due_when_it_starts_and_when_it_ends() -> None:
    due = Timing(
        Cron.parse("0 * * * *"),
        zone("UTC"),
        starts=utc("2026-11-20 10:00"),
        ends=utc("2026-11-20 12:00"),
    )
    assert due.after(utc("2026-01-01")) == utc("2026-11-20 10:00")
    assert all_of(due, "2026-01-01", "2027-01-01") == ["20 10:00:00", "20 11:00:00", "20 12:00:00"]
    assert due.after(utc("2026-11-20 12:00")) is None


def test_between_leaves_out_its_beginning_and_holds_its_end() -> None:
    hourly = timing("0 * * * *", "UTC")
    assert all_of(hourly, "2026-11-20 10:00", "2026-11-20 11:00") == ["20 11:00:00"]
    assert all_of(hourly, "2026-11-20 11:00", "2026-11-20 10:00") == []


def test_between_is_made_as_it_is_read() -> None:
    secondly = timing("* * * * * *", "Europe/Berlin")
    endless = secondly.between(utc("2026-11-20"), utc("9000-01-01"))
    assert len(list(islice(endless, 3))) == 3


def test_an_interval_counts_from_its_start() -> None:
    due = Timing(Cron.parse("@every 90s"), zone("Europe/Berlin"), starts=utc("2026-11-20 10:00:07"))
    assert due.after(utc("2026-01-01")) == utc("2026-11-20 10:00:07")
    assert all_of(due, "2026-11-20 10:00:07", "2026-11-20 10:03:07") == [
        "20 10:01:37",
        "20 10:03:07",
    ]


def test_an_interval_without_a_start_counts_from_1970() -> None:
    due = timing("@every 7h", "Europe/Berlin")
    moment = due.after(utc("2026-11-20"))
    assert moment is not None
    assert moment.timestamp() % (7 * 3600) == 0
    assert due.after(moment) == moment + timedelta(hours=7)


def test_the_ends_of_the_calendar_are_no_errors() -> None:
    for text in ("* * * * *", "0 9 * * *", "@every 1h", "0 0 29 2 *"):
        for name in ("America/New_York", "Pacific/Auckland"):
            due = timing(text, name)
            assert due.after(datetime.max.replace(tzinfo=UTC)) is None
            first = due.after(datetime.min.replace(tzinfo=UTC))
            assert first is not None
            assert first.year in {1970, 1972}


def test_what_only_skipped_hours_hold_is_never_due() -> None:
    assert timing("0 30 2 * 3 SUN#2", "America/New_York").after(utc("2026-11-20")) is None


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("* * * * *", timedelta(minutes=1)),
        ("*/7 * * * *", timedelta(minutes=4)),
        ("*/7 * * * * *", timedelta(seconds=4)),
        ("0 9 * * 1-5", timedelta(days=1)),
        ("0 0,23 * * *", timedelta(hours=1)),
        ("0 0 29 2 *", timedelta(days=1461)),
        ("0 0 29 2 */7", timedelta(days=28 * 365.25)),
        ("@every 90s", timedelta(seconds=90)),
    ],
)
def test_the_smallest_gap(text: str, gap: timedelta) -> None:
    assert timing(text, "Europe/Berlin").smallest_gap() == gap


# Zones that change by half an hour, at midnight, at a quarter to, by two hours, and not at all.
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-04", "2026-10-03"),
    "Pacific/Chatham": ("2026-04-04", "2026-09-26"),
    "America/Santiago": ("2026-04-05", "2026-09-06"),
    "America/Havana": ("2026-03-08", "2026-11-01"),
    "Antarctica/Troll": ("2026-03-29", "2026-10-25"),
    "Africa/Casablanca": ("2026-02-15", "2026-03-22"),
    "Asia/Kolkata": ("2026-03-29", "2026-10-25"),
}
MOMENTS = st.sampled_from(
    [(name, utc(day)) for name, days in CHANGES.items() for day in days]
).flatmap(
    lambda place: st.tuples(
        st.just(place[0]),
        st.integers(-36 * 3600, 36 * 3600).map(lambda s: place[1] + timedelta(seconds=s)),
    )
)


@settings(deadline=None, max_examples=300)
@given(MOMENTS, st.sampled_from([*EXPRESSIONS, "@every 47m"]), st.integers(1, 24 * 3600))
def test_due_times_do_not_depend_on_where_one_begins(
    place: tuple[str, datetime], text: str, seconds: int
) -> None:
    name, begin = place
    due = timing(text, name)
    at_once = list(islice(due.between(begin, begin + timedelta(days=400)), 60))
    assert at_once == sorted(set(at_once))
    moment: datetime | None = begin
    for expected in at_once:
        assert moment is not None
        assert (moment := due.after(moment)) == expected
    later = begin + timedelta(seconds=seconds)
    if at_once and later < at_once[-1]:
        assert due.after(later) == next(d for d in at_once if d > later)


@settings(deadline=None, max_examples=150)
@given(MOMENTS, st.sampled_from(EXPRESSIONS))
def test_an_interval_is_due_whenever_the_clock_reads_so(
    place: tuple[str, datetime], text: str
) -> None:
    """The second rule, asked of each minute of six hours: is it that the clock reads so?"""
    name, begin = place
    begin = begin.replace(second=0)
    due = timing(text, name)
    cron, where = due.cron, due.zone
    if cron.names_a_time:
        return
    minutes = [begin + timedelta(minutes=n) for n in range(1, 361)]
    readings = {m: m.astimezone(where).replace(tzinfo=None, fold=0) for m in minutes}
    second = timedelta(seconds=1)
    expected = [m for m, r in readings.items() if next(iter(cron.readings(r - second))) == r]
    assert [d for d in due.between(begin, minutes[-1]) if d.second == 0] == expected
