"""What is a cron expression, and what one is told who wrote another."""

import string
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framework_m.core.errors import CronError, FrameworkMError
from framework_m.core.scheduling.cron import LONGEST, Cron
from framework_m.core.scheduling.timing import Timing
from framework_m.core.scheduling.words import describe
from tests.support.cron_expressions import EXPRESSIONS

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "0 9 * * 1-5",
            "*/10 * * * * *",
            "0 0 L * *",
            "0 0 LW * *",
            "0 0 * * 5L",
            "0 0 * * MON#1",
        ),
        *("@daily", "@HOURLY", "@yearly", "@annually", "@monthly", "@weekly", "@midnight"),
        *("0 9 * jan-mar mon", "0 0 29 2 *", "0 0 29 2 */7", "*/90 * * * *", "0 0 * * 5-7"),
    ],
)
def test_what_cron_knows_is_read(text: str) -> None:
    assert Cron.parse(text).text == text


def test_only_spaces_are_put_in_order() -> None:
    assert Cron.parse("  0\t9  * *\n mon ").text == "0 9 * * mon"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("* * * * *", False), ("0 * * * * *", True), ("@daily", False)),
        *(("@every 90s", True), ("@every 1h", False)),
    ],
)
def test_who_may_be_due_within_a_minute_has_seconds(text: str, seconds: bool) -> None:
    assert Cron.parse(text).has_seconds is seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), (".5m", 30), ("1m1m", 120), ("8784h", 31622400)],
)
def test_an_interval_is_written_as_in_go(text: str, seconds: int) -> None:
    assert Cron.parse(f"@every {text}").every == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("* * *", "it has 3 fields: there must be five"),
        ("* * * * * * *", "it has 7 fields: there must be five"),
        ("60 * * * *", "the minute is 60: it must be 0 to 59"),
        ("0 25 * * *", "the hour is 25: it must be 0 to 23"),
        ("60 0 0 * * *", "the second is 60: it must be 0 to 59"),
        ("0 0 0 * *", "the day of the month is 0: it must be 1 to 31"),
        ("0 0 * FOO *", "the month is 'FOO': it must be 1 to 12, or JAN to DEC"),
        ("0 0 * * 8", "the weekday is 8: it must be 0 to 7, or SUN to SAT"),
        ("0 0 * * FRI-MON", "'FRI-MON' runs backwards: write two ranges"),
        ("0 0 * * SAT-SUN", "'SAT-SUN' runs backwards: 7 is Sunday, too"),
        ("0 0 ? * *", "Quartz's: write * instead"),
        ("*/0 * * * *", "the step of the minute '*/0' is '0'"),
        ("*/ * * * *", "the step of the minute '*/' is ''"),
        ("0, * * * *", "a comma in the minute '0,' has nothing beside it"),
        ("1- * * * *", "the minute lacks a number"),
        ("0 0 L/2 * *", "'L' takes no step"),
        ("0 0 * * 5L/2", "'5L' takes no step"),
        ("0 0 * * MON#1/2", "'MON#1' takes no step"),
        ("0 0 * * MON#6", "a number from 1 to 5 after its #"),
        ("0 0 * * L", "the weekday 'L' lacks its day"),
        ("0 0 * * ²L", "'²' is no character of a cron expression"),
        ("٣ * * * *", "'٣' is no character of a cron expression"),
        ("0 0 * * \u017fun", "'\u017f' is no character of a cron expression"),
        ("9" * 200 + " * * * *", "it must be 0 to 59"),
        ("* " * 200, f"at most {LONGEST} are read"),
        ("0 0 30 2 *", "that day never comes"),
        ("0 0 31 2,4,6,9,11 *", "that day never comes"),
        ("0 0 LW * */7", "that day never comes"),
        ("@reboot", "@reboot has no time"),
        ("@often", "'@often' is not known"),
        ("@daily 5", "nothing follows @daily"),
        ("CRON_TZ=UTC 0 0 * * *", "the time zone is given beside the expression"),
        ("@every", "@every takes one duration"),
        ("@every 90", "@every takes one duration"),
        ("@every 1d", "@every takes one duration"),
        ("@every 1h 30m", "@every takes one duration"),
        ("@every -5s", "@every takes one duration"),
        ("@every 0.5s", "no whole number of seconds"),
        ("@every 0s", "@every takes 1s to 8784h"),
        ("@every 8785h", "@every takes 1s to 8784h"),
        ("@every " + "9" * 240 + "h", "@every takes 1s to 8784h"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(CronError) as caught:
        Cron.parse(text)
    assert reason in caught.value.reason
    assert caught.value.expression == text
    assert caught.value.reason in str(caught.value)
    assert isinstance(caught.value, FrameworkMError)


def test_a_message_repeats_the_beginning_of_what_is_long() -> None:
    with pytest.raises(CronError) as caught:
        Cron.parse("x" * 100_000)
    assert len(str(caught.value)) < 300


FIELD = st.lists(
    st.sampled_from(
        [
            *("*", "0", "1", "7", "31", "59", "60", "/", "-", ",", "#", "L", "LW", "W", "?", "MON"),
            *(
                "SUN",
                "JAN",
                "dec",
                "5L",
                "MON#1",
                "1-5",
                "*/2",
                "/0",
                "999999999999",
                "²",
                "\u0131",
            ),
        ]
    ),
    min_size=1,
    max_size=4,
).map("".join)
LIKE_CRON = st.lists(FIELD, min_size=4, max_size=7).map(" ".join)


def _lists_of(*terms: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(terms), min_size=1, max_size=3).map(",".join)


CRON = st.tuples(
    st.just("") | _lists_of("*", "0", "59", "1-5", "*/10", "7/9", "10-20/3", "0-59"),
    _lists_of("*", "0", "59", "1-5", "*/10", "7/9", "10-20/3", "*/90"),
    _lists_of("*", "0", "2", "1-3", "*/5", "4/4", "8-18/2", "0-23"),
    _lists_of("*", "1", "29", "31", "30-31", "*/29", "2/3", "L", "LW"),
    _lists_of("*", "2", "JAN", "4,6", "*/12", "mar-may", "1-12/2"),
    _lists_of("*", "0", "7", "MON", "1-5", "fri-sat", "*/7", "MON#1", "5L", "0#5", "5/1"),
).map(" ".join)
LIKE_EVERY = st.text(string.digits + ".hmsd-", max_size=20).map("@every ".__add__)
ANYTHING = st.one_of(
    st.text(max_size=300), LIKE_CRON, LIKE_EVERY, CRON, st.sampled_from(EXPRESSIONS)
)


@settings(deadline=None, max_examples=500)
@example("0 0 * * 5L/2")
@example("\x00 * * * *")
@example("\ud800 * * * *")
@example("0 0 * * ²L")
@example("0 30 2 * 3 SUN#2")
@example("0 9 * * MON,FRI#2")
@example("0 9 * * 1,5L")
@given(ANYTHING)
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        cron = Cron.parse(text)
    except CronError:
        return
    timing = Timing(cron, ZoneInfo("America/New_York"))
    due = timing.after(NOW)
    assert due is None or due > NOW
    assert timing.smallest_gap() > timedelta(0)
    assert describe(cron, "UTC").endswith(", UTC")
    assert Cron.parse(cron.text) == cron
