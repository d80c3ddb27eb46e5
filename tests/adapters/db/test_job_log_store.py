"""The job store contract on both databases."""

import asyncio
from datetime import timedelta

import pytest

from framework_m.core.interfaces.job_store import ClaimTerms
from tests.contracts.job_store_contract import JobStoreContract
from tests.support.harness import Harness

LEASE = timedelta(seconds=10)


class TestSqlite(JobStoreContract):
    @pytest.fixture
    def harness(self, sqlite: Harness) -> Harness:
        return sqlite


class TestPostgresql(JobStoreContract):
    @pytest.fixture
    def harness(self, postgresql: Harness) -> Harness:
        return postgresql


async def test_a_transaction_that_cancels_one_keeps_no_other_lease_from_being_renewed(
    postgresql: Harness,
) -> None:
    store, terms = postgresql.app.ports.job_store, ClaimTerms("w", ("default",), LEASE)
    first, second = [await postgresql.app.enqueue("add", a=n) for n in range(2)]
    held = {claim.job_id: claim.claim_no for claim in await store.claim_due(terms, 2)}
    before = (await postgresql.record(second)).lease_until
    async with postgresql.app.transaction(), asyncio.timeout(20):
        await first.cancel()
        assert await store.renew(held, terms) == frozenset(), "none of them is lost"
    after = (await postgresql.record(second)).lease_until
    assert before is not None
    assert after is not None
    assert after > before
