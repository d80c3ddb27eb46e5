"""How schedules look, and what a cron expression is said to mean: without an application."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from framework_m.cli.banner import banner
from framework_m.cli.main import main
from framework_m.cli.schedule_views import in_a_row, say_history, say_schedules
from framework_m.core.doctypes.schedule_views import ScheduleFiring, ScheduleInfo
from framework_m.core.doctypes.scheduled_job import ScheduleStatus
from tests.support import scheduled_jobs

BERLIN = ZoneInfo("Europe/Berlin")
NINE = datetime(2026, 12, 30, 8, tzinfo=UTC)


def schedule(name: str, **fields: Any) -> ScheduleInfo:
    given = {
        "function": "send_report",
        "cron_expression": "0 9 * * *",
        "timezone": "Europe/Berlin",
        "description": "every day at 09:00, Europe/Berlin",
        "enabled": True,
        "next_runs": tuple(NINE + timedelta(days=n) for n in range(5)),
    }
    return ScheduleInfo(**{"name": name, **given, **fields})


LISTED = """\
NAME    STATE    LAST                      DECLARED IN
daily   enabled  Success 2026-12-29 09:00  shop.jobs
  runs send_report every day at 09:00, Europe/Berlin
  next 2026-12-30 09:00, 12-31 09:00, 2027-01-01 09:00, 01-02 09:00, 01-03 09:00
paused  paused   -                         -
  runs send_report every day at 09:00, Europe/Berlin
over    enabled  Missed 2026-12-29 08:00   -
  runs send_report 0 9 * * *, Mars
  next never
"""


def test_the_list_has_three_short_lines_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    last = NINE - timedelta(days=1)
    before = {"last_run": last, "last_status": ScheduleStatus.SUCCESS, "declared_in": "shop.jobs"}
    broken = {"timezone": "Mars", "description": "", "next_runs": (), "last_run": last}
    say_schedules(
        [
            schedule("daily", **before),
            schedule("paused", enabled=False, next_runs=()),
            schedule("over", **broken, last_status=ScheduleStatus.MISSED),
        ]
    )
    assert capsys.readouterr().out == LISTED


def test_long_words_are_wrapped_and_signs_of_a_terminal_spelled_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say_schedules([schedule("a\x1bb", description="word " * 60)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[1].startswith("a\\x1bb")


@pytest.mark.parametrize(
    ("moments", "shown"),
    [
        ([NINE], "2026-12-30 09:00"),
        ([NINE, NINE + timedelta(minutes=90)], "2026-12-30 09:00, 10:30"),
        ([NINE, NINE + timedelta(seconds=1)], "2026-12-30 09:00, 09:00:01"),
        (
            [datetime(2027, 10, 31, hour, 30, tzinfo=UTC) for hour in (0, 1, 2)],
            "2027-10-31 02:30+02:00, 02:30+01:00, 03:30",
        ),
        ([], ""),
    ],
)
def test_due_times_in_a_row_say_what_differs(moments: list[datetime], shown: str) -> None:
    assert in_a_row(moments, BERLIN) == shown


HISTORY = """\
DUE               STATUS   LAG    JOB       DETAIL
2026-12-30 09:00  Success  0.4 s  a job id
2026-12-29 09:00  Skipped  -      -         a job of an earlier one runs
2026-12-28 09:00  Missed   -      -         1000 or more due times until 2026-12-28 21:00: nobody
2026-12-27 09:00  Missed   -      -         3 due times until 2026-12-27 21:00
"""


def test_the_history_says_how_many_were_missed(capsys: pytest.CaptureFixture[str]) -> None:
    def became(days: int, status: ScheduleStatus, **fields: Any) -> ScheduleFiring:
        due_at = NINE - timedelta(days=days)
        if "count" in fields:
            fields["until"] = due_at + timedelta(hours=12)
        return ScheduleFiring(due_at=due_at, fired_at=NINE, status=status, **fields)

    past = [
        became(0, ScheduleStatus.SUCCESS, job_id="a job id", lag_seconds=0.4),
        became(1, ScheduleStatus.SKIPPED, detail="a job of an earlier one runs"),
        became(2, ScheduleStatus.MISSED, count=1000, detail="nobody"),
        became(3, ScheduleStatus.MISSED, count=3),
    ]
    say_history(past, "Europe/Berlin")
    assert capsys.readouterr().out == HISTORY


@pytest.fixture
def without_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEWORK_M_APP", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("without_application")
def test_an_expression_is_previewed_without_an_application(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["schedule:preview", "0 9 * * MON", "--timezone", "Asia/Tokyo", "--count", "2"]
    assert main(command) == 0
    words, *lines = capsys.readouterr().out.splitlines()
    assert words == "every Monday at 09:00, Asia/Tokyo"
    assert [(line[:6], line[16:]) for line in lines] == [("  Mon ", " 09:00:00 +09:00")] * 2
    assert main([*command, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["description"] == words
    moments = [datetime.fromisoformat(it) for it in shown["next_runs"]]
    assert [f"  {it:%a %Y-%m-%d %H:%M:%S} +09:00" for it in moments] == lines


@pytest.mark.usefixtures("without_application")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["61 * * * *"], "CRON: '61 * * * *' cannot be a schedule: the minute is 61"),
        (["0 0 30 2 *"], "that day never comes"),
        (["0", "9", "*", "*", "*"], "'9': write CRON in quotes"),
        (["@daily", "--timezone", "Europe/Belrin"], "--timezone: 'Europe/Belrin' is not a time"),
        (["@daily", "--count", "0"], "--count must be from 1 to 1000"),
        ([], "CRON requires an argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_previewed_is_wrong_usage(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schedule:preview", *words]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert told in said.err


def test_a_process_says_which_schedules_its_modules_declare() -> None:
    assert "\n  schedules  clean_up, nine\n" in banner(scheduled_jobs.app)
