"""Two years of schedules, fired by both adapters under a moved clock: equal to croniter."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from framework_m import FrameworkM
from framework_m.core import clock
from framework_m.testing import MovableClock
from tests.support.cron_expressions import EXPRESSIONS, ZONES
from tests.support.harness import Harness
from tests.support.moved_schedules import (
    BEGIN,
    GRACE,
    Case,
    case_of,
    fire_by_looks,
    fire_by_messages,
    require_fired,
    save,
)

FEW = (
    ("0 9 * * 1-5", "America/New_York"),
    ("30 2 * * SUN", "Europe/Berlin"),
    ("0 0 L * *", "Australia/Lord_Howe"),
    ("*/15 2 * * *", "Europe/Berlin"),
    ("59 59 23 31 12 *", "Asia/Kolkata"),
    ("*/10 * * * * *", "Australia/Lord_Howe"),
)


@pytest.fixture
def moved() -> Iterator[MovableClock]:
    moved = MovableClock()
    moved.move_to(BEGIN)
    with clock.in_use(moved):
        yield moved


@pytest.fixture
def harness(request: pytest.FixtureRequest, moved: MovableClock) -> Harness:
    """Opened under the moved clock, so that its database goes by it, too."""
    found: Harness = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def app(harness: Harness) -> AsyncIterator[FrameworkM]:
    app = harness.application(schedule_grace=GRACE.total_seconds(), own_schedules=False)
    async with app:
        yield app


def few() -> list[Case]:
    return [case_of(*one) for one in FEW]


def all_of_them() -> list[Case]:
    return [case_of(expression, name) for expression in EXPRESSIONS for name in ZONES]


@pytest.mark.parametrize("harness", ["sqlite"], indirect=True)
async def test_looks_at_the_records(app: FrameworkM, moved: MovableClock) -> None:
    cases = few()
    await save(app, cases)
    await fire_by_looks(app, moved, timedelta(days=5))
    await require_fired(app, cases)


@pytest.mark.parametrize("harness", ["nats_sqlite"], indirect=True)
async def test_messages(app: FrameworkM, moved: MovableClock) -> None:
    cases = few()
    await save(app, cases)
    await fire_by_messages(app, moved, cases)
    await require_fired(app, cases)


@pytest.mark.chaos
@pytest.mark.parametrize("harness", ["sqlite"], indirect=True)
async def test_looks_at_a_thousand_records(app: FrameworkM, moved: MovableClock) -> None:
    cases = all_of_them()
    await save(app, cases)
    await fire_by_looks(app, moved, timedelta(days=1))
    await require_fired(app, cases)


@pytest.mark.chaos
@pytest.mark.parametrize("harness", ["nats_sqlite"], indirect=True)
async def test_messages_of_a_thousand_records(app: FrameworkM, moved: MovableClock) -> None:
    cases = all_of_them()
    await save(app, cases)
    await fire_by_messages(app, moved, cases)
    await require_fired(app, cases)
