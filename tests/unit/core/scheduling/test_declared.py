"""Schedules that code declares."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from framework_m import CatchUp, FrameworkM, Overlap, Settings, cron, job
from framework_m.core.errors import ConfigurationError
from framework_m.core.scheduling.declared import CronJob

Modules = Callable[..., FrameworkM]


@job
async def send_report(month: str = "this") -> None: ...


@job(queue="cleaning")
async def clean_up() -> None: ...


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Modules:
    """An application of one module that holds this."""

    def make(**held: Any) -> FrameworkM:
        module = ModuleType("declaring")
        module.__dict__.update(held)
        monkeypatch.setitem(sys.modules, "declaring", module)
        return FrameworkM(["declaring"], settings=Settings())

    return make


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"hour": 9, "minute": 0}, "0 9 * * *"),
        ({"hour": 9}, "0 9 * * *"),
        ({"minute": 30}, "30 * * * *"),
        ({"minute": "*/5"}, "*/5 * * * *"),
        ({"minute": [0, 30], "hour": "8-17", "weekday": "mon-fri"}, "0,30 8-17 * * mon-fri"),
        ({"weekday": 1}, "0 0 * * 1"),
        ({"weekday": {"mon", "wed"}, "hour": 7}, "0 7 * * mon,wed"),
        ({"day": 1}, "0 0 1 * *"),
        ({"month": 1}, "0 0 1 1 *"),
        ({"month": [3, 9], "weekday": "fri#2"}, "0 0 * 3,9 fri#2"),
        ({"month": 12, "hour": 6}, "0 6 * 12 *"),
        ({"second": "*/10"}, "*/10 * * * * *"),
        ({"second": 30, "hour": 9}, "30 * 9 * * *"),
        ({"second": 0, "minute": 0, "hour": 9}, "0 0 9 * * *"),
        ({"hour": (22, 6, 14)}, "0 6,14,22 * * *"),
    ],
)
def test_parts_are_those_of_an_expression(parts: dict[str, Any], expected: str) -> None:
    assert cron("send_report", **parts).cron_expression == expected


def test_a_schedule_is_named_after_its_job() -> None:
    assert cron(send_report, "@daily") == CronJob("send_report", "@daily", "send_report")
    assert cron("send_report", "@daily", name="nightly").name == "nightly"


@pytest.mark.parametrize("given", [{}, {"expression": "@daily", "hour": 9}])
def test_it_needs_an_expression_or_its_parts(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"cron\('send_report'\): give an expression, or"):
        cron("send_report", **given)


def test_modules_declare_them_in_a_list_and_at_functions(modules: Modules) -> None:
    @job(cron="30 4 * * *", timezone="Europe/Berlin")
    async def early() -> None: ...

    start = datetime(2026, 11, 1, tzinfo=UTC)
    app = modules(
        send_report=send_report,
        early=early,
        again=early,
        cron_jobs=[
            cron("send_report", hour=9, args={"month": "next"}, start_date=start),
            cron(
                send_report,
                "@every 90s",
                name="often",
                queue="low",
                priority=4,
                overlap="skip",
                catch_up="all",
                catch_up_window=60,
                jitter=5,
            ),
        ],
    )
    found = app.contents.schedules
    assert set(found) == {"early", "send_report", "often", "framework_m.prune_jobs"}
    at_function = found["early"].record
    assert (at_function.cron_expression, at_function.timezone) == ("30 4 * * *", "Europe/Berlin")
    assert found["early"].module == __name__
    assert found["send_report"].module == "declaring"
    assert found["send_report"].record.args == {"month": "next"}
    assert found["send_report"].record.start_date == start
    often = found["often"].record
    assert (often.function, often.queue, often.priority) == ("send_report", "low", 4)
    assert (often.overlap, often.catch_up) == (Overlap.SKIP, CatchUp.ALL)
    assert (often.catch_up_window, often.jitter) == (60, 5)
    assert often.description == "every 90 seconds, UTC"


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (cron("send_report", "0 25 * * *"), "cron_expression: .*hour"),
        (cron("send_report", "0 0 30 2 *"), "cron_expression: .*never"),
        (cron("send_report", "@daily", timezone="Europe/Atlantis"), "timezone: .*Atlantis"),
        (cron("send_reports", "@daily"), "did you mean 'send_report'"),
        (cron("send_report", "@daily", args={"moth": 1}), "args.moth: is not an argument"),
        (cron("send_report", "@daily", overlap="maybe"), "overlap"),
        (cron("send_report", "@daily", priority=9), "priority"),
        (cron("send_report", "@daily", queue="a queue"), "queue: "),
        (cron("send_report", "@daily", name="a/b"), "name"),
        (
            cron(
                "send_report",
                "@daily",
                start_date=datetime(2026, 2, 1, tzinfo=UTC),
                end_date=datetime(2026, 1, 1, tzinfo=UTC),
            ),
            "end_date: is before start_date",
        ),
    ],
)
def test_what_makes_no_sense_is_found_when_modules_are_read(
    modules: Modules, declared: CronJob, told: str
) -> None:
    app = modules(send_report=send_report, cron_jobs=[declared])
    with pytest.raises(ConfigurationError, match=told) as caught:
        _ = app.contents.schedules
    assert "in declaring" in str(caught.value)


@pytest.mark.parametrize("wrong", ["@daily", [send_report], {"a": 1}, 7])
def test_cron_jobs_is_a_list_of_them(modules: Modules, wrong: Any) -> None:
    app = modules(send_report=send_report, cron_jobs=wrong)
    with pytest.raises(ConfigurationError, match=r"declaring\.cron_jobs: "):
        _ = app.contents.schedules


def test_two_of_one_name_are_refused(modules: Modules) -> None:
    both = [cron(send_report, "@daily"), cron("send_report", "@hourly")]
    app = modules(send_report=send_report, cron_jobs=both)
    with pytest.raises(ConfigurationError, match=r"two schedules are named 'send_report'"):
        _ = app.contents.schedules


def test_a_floor_keeps_schedules_from_firing_too_often(modules: Modules) -> None:
    app = modules(send_report=send_report, cron_jobs=[cron(send_report, second="*/5")])
    assert "send_report" in app.contents.schedules
    app = modules(send_report=send_report, cron_jobs=[cron(send_report, second="*/5")])
    app.change_settings(schedule_floor=timedelta(seconds=10).total_seconds())
    with pytest.raises(ConfigurationError, match="more often than every 10 s"):
        _ = app.contents.schedules
