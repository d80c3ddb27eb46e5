"""The days on which clocks are changed, by hand.

In 2026: Berlin from 02:00 to 03:00 on 29 March and from 03:00 to 02:00 on 25 October; New York from
02:00 to 03:00 on 8 March and from 02:00 to 01:00 on 1 November; Lord Howe from 02:00 back to 01:30
on 5 April and from 02:00 to 02:30 on 4 October.
"""

from datetime import UTC, datetime

import pytest

from framework_m.core.scheduling.timing import zone
from tests.support.due_times import timing

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"


def due(text: str, name: str, begin: str, end: str) -> str:
    """The due times from one hour of the clock up to another, with the offset where it changes."""
    where = zone(name)
    after, until = (datetime.fromisoformat(m).replace(tzinfo=where) for m in (begin, end))
    told = []
    offset = ""
    for moment in timing(text, name).between(after.astimezone(UTC), until.astimezone(UTC)):
        local = moment.astimezone(where)
        told += [f"{local:%z}"] * (f"{local:%z}" != offset)
        told += [f"{local:%H:%M}"]
        offset = f"{local:%z}"
    return " ".join(told)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", "+0200 03:00"),
        ("15,45 2 * * *", "+0200 03:00"),
        ("0 2,3 * * *", "+0200 03:00"),
        ("30 2,3 * * *", "+0200 03:00 03:30"),
        ("0 1-4 * * *", "+0100 01:00 +0200 03:00 04:00"),
        ("0 3 * * *", "+0200 03:00"),
        ("0 * * * *", "+0100 01:00 +0200 03:00 04:00"),
        ("*/15 1,2 * * *", "+0100 01:00 01:15 01:30 01:45"),
        ("*/15 * * * *", "+0100 00:45 01:00 01:15 01:30 01:45 +0200 03:00 03:15 03:30 03:45 04:00"),
        ("30 */2 * * *", ""),
        ("0 30 2 * * *", ""),
        ("0 0 2,3 * * *", "+0200 03:00"),
        ("@every 1h", "+0100 01:00 +0200 03:00 04:00"),
    ],
)
def test_berlin_goes_forward(text: str, expected: str) -> None:
    assert due(text, BERLIN, "2026-03-29T00:30", "2026-03-29T04:00") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", "+0200 02:30"),
        ("15,45 2 * * *", "+0200 02:15 02:45"),
        ("0 2,3 * * *", "+0200 02:00 +0100 03:00"),
        ("0 1-4 * * *", "+0200 01:00 02:00 +0100 03:00 04:00"),
        ("0 * * * *", "+0200 01:00 02:00 +0100 02:00 03:00 04:00"),
        (
            "*/15 * * * *",
            "+0200 00:45 01:00 01:15 01:30 01:45 02:00 02:15 02:30 02:45 "
            "+0100 02:00 02:15 02:30 02:45 03:00 03:15 03:30 03:45 04:00",
        ),
        ("30 */2 * * *", "+0200 02:30 +0100 02:30"),
        ("0 30 2 * * *", "+0200 02:30 +0100 02:30"),
        ("0 0 3 * * *", "+0100 03:00"),
        ("@every 1h", "+0200 01:00 02:00 +0100 02:00 03:00 04:00"),
    ],
)
def test_berlin_goes_back(text: str, expected: str) -> None:
    assert due(text, BERLIN, "2026-10-25T00:30", "2026-10-25T04:00") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", "-0400 03:00"),
        ("0 2,3 * * *", "-0400 03:00"),
        ("0 * * * *", "-0500 01:00 -0400 03:00 04:00"),
        ("*/15 * * * *", "-0500 00:45 01:00 01:15 01:30 01:45 -0400 03:00 03:15 03:30 03:45 04:00"),
        ("0 30 2 * * *", ""),
        ("@every 1h", "-0500 01:00 -0400 03:00 04:00"),
    ],
)
def test_new_york_goes_forward(text: str, expected: str) -> None:
    assert due(text, NEW_YORK, "2026-03-08T00:30", "2026-03-08T04:00") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", "-0500 02:30"),
        ("30 1 * * *", "-0400 01:30"),
        ("0 2,3 * * *", "-0500 02:00 03:00"),
        ("0 * * * *", "-0400 01:00 -0500 01:00 02:00 03:00"),
        (
            "*/15 * * * *",
            "-0400 00:45 01:00 01:15 01:30 01:45 -0500 01:00 01:15 01:30 01:45 "
            "02:00 02:15 02:30 02:45 03:00",
        ),
        ("0 30 2 * * *", "-0500 02:30"),
        ("0 30 1 * * *", "-0400 01:30 -0500 01:30"),
        ("@every 1h", "-0400 01:00 -0500 01:00 02:00 03:00"),
    ],
)
def test_new_york_goes_back(text: str, expected: str) -> None:
    assert due(text, NEW_YORK, "2026-11-01T00:30", "2026-11-01T03:00") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15 2 * * *", "+1100 02:30"),
        ("30 2 * * *", "+1100 02:30"),
        ("0 2,3 * * *", "+1100 02:30 03:00"),
        ("0 * * * *", "+1030 01:00 +1100 03:00 04:00"),
        ("*/15 * * * *", "+1030 01:00 01:15 01:30 01:45 +1100 02:30 02:45 03:00 03:15 03:30 03:45 "
         "04:00"),
        ("*/15 3 * * *", "+1100 03:00 03:15 03:30 03:45"),
        ("0 15 2 * * *", ""),
        ("0 30 2 * * *", "+1100 02:30"),
        ("@every 1h", "+1030 01:30 +1100 03:00 04:00"),
    ],
)  # fmt: skip
def test_lord_howe_goes_forward_by_half_an_hour(text: str, expected: str) -> None:
    assert due(text, LORD_HOWE, "2026-10-04T00:45", "2026-10-04T04:00") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", "+1030 02:30"),
        ("45 1 * * *", "+1100 01:45"),
        ("0 2,3 * * *", "+1030 02:00 03:00"),
        ("0 * * * *", "+1100 01:00 +1030 02:00 03:00"),
        ("*/15 * * * *", "+1100 01:00 01:15 01:30 01:45 +1030 01:30 01:45 02:00 02:15 02:30 02:45 "
         "03:00"),
        ("*/15 2 * * *", "+1030 02:00 02:15 02:30 02:45"),
        ("0 30 2 * * *", "+1030 02:30"),
        ("0 45 1 * * *", "+1100 01:45 +1030 01:45"),
        ("@every 1h", "+1100 01:00 +1030 01:30 02:30"),
    ],
)  # fmt: skip
def test_lord_howe_goes_back_by_half_an_hour(text: str, expected: str) -> None:
    assert due(text, LORD_HOWE, "2026-04-05T00:45", "2026-04-05T03:00") == expected


@pytest.mark.parametrize("name", ["UTC", "Asia/Kolkata"])
def test_where_clocks_are_not_changed_every_day_is_like_the_other(name: str) -> None:
    for day in ("2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01"):
        for text in ("30 2 * * *", "0 30 2 * * *"):
            assert due(text, name, f"{day}T00:30", f"{day}T04:00")[6:] == "02:30"


def test_begun_within_the_second_of_two_equal_hours_nothing_comes_again() -> None:
    daily = timing("30 2 * * *", BERLIN)
    second_hour = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)  # 02:15, for the second time
    assert daily.after(second_hour) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    hourly = timing("*/30 * * * *", BERLIN)
    assert hourly.after(second_hour) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_day_that_was_left_out_is_made_up_for_when_it_is_over() -> None:
    """Samoa went from the end of 29 December 2011 to the beginning of the 31st."""
    noon = timing("0 12 * * *", "Pacific/Apia")
    dues = noon.between(datetime(2011, 12, 29, tzinfo=UTC), datetime(2011, 12, 31, tzinfo=UTC))
    where = zone("Pacific/Apia")
    assert [f"{d.astimezone(where):%d %H:%M}" for d in dues] == ["29 12:00", "31 00:00", "31 12:00"]
