"""Ids that sort by time, waits that grow."""

import uuid

import pytest

from framework_m.core.errors import ArgumentError, ConfigurationError
from framework_m.core.ids import is_uuid, uuid7
from framework_m.core.jobs.retry import Backoff, RetryPolicy


def test_ids_are_version_7_and_ascend() -> None:
    made = [uuid7() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {uuid.UUID(text).version for text in made} == {7}
    assert {uuid.UUID(text).variant for text in made} == {uuid.RFC_4122}


ID = "01a2106a-2335-7000-90ae-e9d9c4f17e3a"


@pytest.mark.parametrize("text", ["", "x", "1", "{}", ID.upper(), ID.replace("-", "")])
def test_other_forms_are_no_ids(text: str) -> None:
    assert not is_uuid(text)


ERROR = RuntimeError("any")


@pytest.mark.parametrize(("attempt", "most"), [(1, 1), (2, 2), (5, 16), (40, 600), (10_000, 600)])
def test_the_wait_is_random_below_a_ceiling_that_doubles(attempt: int, most: float) -> None:
    waits = [Backoff()(attempt, ERROR) for _ in range(200)]
    assert all(0 <= wait <= most for wait in waits)
    assert max(waits) > most / 2 > min(waits)


def test_the_ceiling_has_bounds_of_ones_own() -> None:
    assert max(Backoff(min=2, max=3)(9, ERROR) for _ in range(200)) <= 3
    assert Backoff(min=0, max=0)(5, ERROR) == 0
    with pytest.raises(ConfigurationError, match="0 <= min <= max"):
        Backoff(min=5, max=1)


def test_a_backoff_function_sees_attempt_and_error() -> None:
    policy = RetryPolicy(3, backoff=lambda attempt, error: attempt * len(str(error)))
    assert policy.wait(2, ERROR).total_seconds() == 6


def test_a_backoff_function_that_fails_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    policy = RetryPolicy(3, backoff=lambda _attempt, _error: 1 / 0)
    assert 0 <= policy.wait(1, ERROR).total_seconds() <= 1
    assert "the backoff function failed" in caplog.text


def test_errors_are_retried_by_kind() -> None:
    assert RetryPolicy(3).allows(ERROR)
    assert not RetryPolicy(3).allows(SystemExit())
    passing = RetryPolicy(3, retry_on=(OSError,), discard_on=(FileNotFoundError,))
    assert passing.allows(ConnectionError())
    assert not passing.allows(FileNotFoundError())
    assert not passing.allows(ERROR)


def test_what_would_end_the_same_way_is_never_retried() -> None:
    assert not RetryPolicy(3).allows(ArgumentError("job", []))
