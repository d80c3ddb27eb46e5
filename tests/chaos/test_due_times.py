"""Two hundred expressions in five zones over two years, due for due: equal to croniter."""

from datetime import UTC, datetime

import pytest

from framework_m.core.scheduling.timing import zone
from tests.support.cron_expressions import EXPRESSIONS, ZONES
from tests.support.due_times import croniter_between, on_plain_days, timing

pytestmark = pytest.mark.chaos

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2028, 1, 1, tzinfo=UTC)
TWO_DAYS = datetime(2026, 10, 10, tzinfo=UTC), datetime(2026, 10, 12, tzinfo=UTC)


def is_dense(expression: str) -> bool:
    """Due every few seconds: two years of it are millions of times that say nothing new."""
    fields = expression.split()
    return len(fields) == 6 and fields[1:3] == ["*", "*"]


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_two_years_are_those_of_croniter(expression: str, name: str) -> None:
    where = zone(name)
    after, until = TWO_DAYS if is_dense(expression) else (BEGIN, END)
    mine = timing(expression, name).between(after, until)
    theirs = croniter_between(expression, where, after, until)
    assert on_plain_days(mine, where) == on_plain_days(theirs, where)
