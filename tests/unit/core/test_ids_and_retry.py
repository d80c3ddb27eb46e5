"""Ids that sort by time, waits that grow."""

import uuid

import pytest

from framework_m.core.ids import is_uuid, uuid7
from framework_m.core.jobs.retry import LONGEST_WAIT, backoff


def test_ids_are_version_7_and_ascend() -> None:
    made = [uuid7() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {uuid.UUID(text).version for text in made} == {7}
    assert {uuid.UUID(text).variant for text in made} == {uuid.RFC_4122}


@pytest.mark.parametrize("text", ["", "x", "1", "{}", uuid7().upper(), uuid7().replace("-", "")])
def test_other_forms_are_no_ids(text: str) -> None:
    assert not is_uuid(text)


@pytest.mark.parametrize(("attempt", "most"), [(1, 1), (2, 2), (5, 16), (40, LONGEST_WAIT)])
def test_the_wait_is_random_below_a_ceiling_that_doubles(attempt: int, most: float) -> None:
    waits = [backoff(attempt).total_seconds() for _ in range(200)]
    assert all(0 <= wait <= most for wait in waits)
    assert max(waits) > most / 2 > min(waits)
