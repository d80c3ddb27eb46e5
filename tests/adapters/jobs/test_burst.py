"""The contract of ending when nothing is left on every backend."""

from collections.abc import Sequence

import pytest

from framework_m.adapters.db.job_log_store import JobLogStore
from tests.contracts.burst_contract import MODULES, BurstContract
from tests.support.harness import Harness


class TestMemory(BurstContract):
    @pytest.fixture
    def harness(self, memory: Harness) -> Harness:
        return memory


class TestSqlite(BurstContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


async def test_a_look_that_fails_is_not_the_last(
    sqlite: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_work, looks = JobLogStore.has_work, 0

    async def fails_at_the_second(store: JobLogStore, queues: Sequence[str], worker: str) -> bool:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise RuntimeError("a bug")
        return await has_work(store, queues, worker)

    monkeypatch.setattr(JobLogStore, "has_work", fails_at_the_second)
    async with sqlite.application(MODULES) as app:
        await app.enqueue("adds", a=1)
        assert await app.run_until_empty() == 1


class TestPostgresql(BurstContract):
    @pytest.fixture
    def harness(self, postgresql: Harness) -> Harness:
        return postgresql


class TestNatsOnPostgresql(BurstContract):
    @pytest.fixture
    def harness(self, nats_postgresql: Harness) -> Harness:
        return nats_postgresql
