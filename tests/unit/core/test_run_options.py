"""Options of a run: what makes no sense is refused by name."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m import Backoff, Retry, Snooze
from framework_m.core.errors import ArgumentError
from framework_m.core.jobs.control import LONGEST_WAIT
from framework_m.core.jobs.retry import RetryPolicy
from tests.support import jobs

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"delay": -1}, "delay"),
        ({"delay": math.nan}, "delay"),
        ({"delay": math.inf}, "delay"),
        ({"delay": 1e18}, "delay"),
        ({"delay": timedelta.max}, "delay"),
        ({"delay": timedelta(seconds=-1)}, "delay"),
        ({"at": NOW.replace(tzinfo=None)}, "at"),
        ({"at": datetime.max.replace(tzinfo=UTC)}, "at"),
        ({"at": NOW, "delay": 1}, "at"),
        ({"queue": "a b"}, "queue"),
        ({"queue": ""}, "queue"),
        ({"retries": -1}, "retries"),
        ({"retries": 2**31}, "retries"),
        ({"tags": ["x"] * 21}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 65]}, "tags"),
        ({"correlation_id": ""}, "correlation_id"),
        ({"correlation_id": "x" * 256}, "correlation_id"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(
    options: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(ArgumentError) as refused:
        jobs.add.options(**options)
    assert [error.field for error in refused.value.errors] == [wrong]


def test_options_add_up() -> None:
    request = jobs.add.options(delay=5, tags=["a"]).options(queue="other")
    options = request.call(1).options
    assert (options.delay, options.tags, options.queue) == (timedelta(seconds=5), ("a",), "other")
    assert jobs.add.call(1).options.queue is None, "the function itself is as it was"


@given(wait=st.one_of(st.floats(), st.timedeltas(), st.text(), st.none()))
def test_a_backoff_function_may_return_anything(wait: Any) -> None:
    policy = RetryPolicy(3, backoff=lambda _attempt, _error: wait)
    assert timedelta() <= policy.wait(1, ValueError()) <= LONGEST_WAIT


def test_a_backoff_grows_between_its_bounds() -> None:
    backoff = Backoff(min=2, max=10)
    for attempt, ceiling in ((1, 2), (2, 4), (3, 8), (4, 10), (10_000, 10)):
        assert all(0 <= backoff(attempt, ValueError()) <= ceiling for _ in range(50))


def test_waits_that_are_asked_for_are_bounded() -> None:
    assert Retry(after=-5).after == timedelta()
    assert Retry(after=timedelta.max).after == LONGEST_WAIT
    assert Snooze(until=NOW - timedelta(days=1)).wait == timedelta()
    assert Snooze(until=datetime.max.replace(tzinfo=UTC)).wait <= LONGEST_WAIT
