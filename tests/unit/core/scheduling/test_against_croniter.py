"""cronsim and croniter share no code: what both say is due is due.

Here from seven moments of two years; all of the two years in tests/chaos/test_due_times.py.
"""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from framework_m.core.scheduling.timing import zone
from tests.support.cron_expressions import EXPRESSIONS, ZONES
from tests.support.due_times import croniter_between, on_plain_days, timing

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2028, 1, 1, tzinfo=UTC)
STARTS = [BEGIN + timedelta(days=101 * n, hours=5 * n) for n in range(7)]
EACH = 5


def test_there_are_two_hundred_expressions() -> None:
    assert len(EXPRESSIONS) == len(set(EXPRESSIONS)) == 200


@pytest.mark.parametrize("name", ZONES)
def test_due_times_are_those_of_croniter(name: str) -> None:
    where = zone(name)
    for expression in EXPRESSIONS:
        ours = timing(expression, name)
        for start in STARTS:
            mine = list(islice(ours.between(start, END), EACH))
            until = mine[-1] if len(mine) == EACH else END
            theirs = croniter_between(expression, where, start, until)
            assert on_plain_days(mine, where) == on_plain_days(theirs, where), (expression, start)
