"""The unit of work: what follows a commit, and what may not disturb it."""

import pytest

from framework_m.core.interfaces.unit_of_work import current_unit_of_work
from tests.support.harness import Harness


@pytest.fixture
def harness(sqlite: Harness) -> Harness:
    return sqlite


async def test_what_follows_the_commit_happens_after_it(harness: Harness) -> None:
    seen: list[bool] = []
    async with harness.app.transaction() as unit:

        async def action() -> None:
            seen.append(unit.is_open)

        unit.after_commit(action)
        assert seen == []
    assert seen == [False]


async def test_nothing_follows_a_rollback(harness: Harness) -> None:
    async def action() -> None:
        pytest.fail("the transaction did not commit")

    with pytest.raises(KeyError):
        async with harness.app.transaction() as unit:
            unit.after_commit(action)
            raise KeyError


async def test_an_error_after_the_commit_does_not_reach_the_committer(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    async def action() -> None:
        raise RuntimeError("the queue is away")

    async with harness.app.transaction() as unit:
        unit.after_commit(action)
    assert "left to the next sweep: the queue is away" in caplog.text


async def test_the_current_transaction_is_known_in_its_block_only(harness: Harness) -> None:
    assert current_unit_of_work() is None
    async with harness.app.transaction() as unit:
        assert current_unit_of_work() is unit.unit
    assert current_unit_of_work() is None


@pytest.mark.parametrize("error", [ConnectionError("mail server"), TimeoutError(), OSError(2, "x")])
async def test_the_users_own_errors_leave_a_transaction_unchanged(
    harness: Harness, error: Exception
) -> None:
    with pytest.raises(type(error)) as raised:
        async with harness.app.transaction():
            raise error
    assert raised.value is error
