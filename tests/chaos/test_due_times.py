"""Two hundred expressions in five zones over two years, due for due: equal to croniter.

Those that are due in every hour are compared over two months in which all clocks change, and those
that are due every few seconds over two days: more of them says nothing new.
"""

from datetime import UTC, datetime

import pytest

from framework_m.core.scheduling.timing import zone
from tests.support.cron_expressions import EXPRESSIONS, ZONES
from tests.support.due_times import croniter_between, on_plain_days, timing

pytestmark = pytest.mark.chaos

TWO_YEARS = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
TWO_MONTHS = datetime(2026, 9, 15, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC)
TWO_DAYS = datetime(2026, 10, 10, tzinfo=UTC), datetime(2026, 10, 12, tzinfo=UTC)


def period(expression: str) -> tuple[datetime, datetime]:
    second, minute, hour, *_ = ("0", *expression.split())[-6:]
    if second != "0" and (minute, hour) == ("*", "*"):
        return TWO_DAYS
    return TWO_MONTHS if hour.startswith("*") else TWO_YEARS


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("expression", [e for e in EXPRESSIONS if not e.startswith("@")])
def test_a_period_is_that_of_croniter(expression: str, name: str) -> None:
    compare(expression, name, period(expression))


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("expression", [e for e in EXPRESSIONS if e.startswith("@")])
def test_two_years_of_a_name_are_those_of_croniter(expression: str, name: str) -> None:
    compare(expression, name, TWO_YEARS)


def compare(expression: str, name: str, between: tuple[datetime, datetime]) -> None:
    where = zone(name)
    mine = timing(expression, name).between(*between)
    theirs = croniter_between(expression, where, *between)
    assert on_plain_days(mine, where) == on_plain_days(theirs, where)
