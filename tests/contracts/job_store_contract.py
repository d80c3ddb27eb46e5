"""What the job store promises: who holds a claim, and that nobody else can write under it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from framework_m import JobStatus
from framework_m.core.errors import NatsUnavailableError
from framework_m.core.interfaces.job_store import (
    Claim,
    ClaimTerms,
    Dispatch,
    FinishedRun,
    JobStore,
    ProgressReport,
)
from tests.support import jobs
from tests.support.harness import Harness, until

LEASE = timedelta(seconds=60)
LAPSED = timedelta(milliseconds=1)


def terms(worker: str, lease: timedelta = LEASE) -> ClaimTerms:
    return ClaimTerms(worker, ("default",), lease)


def success(claim: Claim, result: str = "1") -> FinishedRun:
    return FinishedRun(claim.job_id, claim.claim_no, JobStatus.SUCCESS, result=result)


class JobStoreContract:
    """Subclass it with a `harness` fixture."""

    @pytest.fixture
    def store(self, harness: Harness) -> JobStore:
        return harness.app.ports.job_store

    async def test_a_job_is_claimed_once(self, harness: Harness, store: JobStore) -> None:
        ids = {await jobs.add.enqueue(n) for n in range(40)}

        async def claim_all(worker: str) -> list[Claim]:
            claims: list[Claim] = []
            while batch := await store.claim_due(terms(worker), 3):
                claims.extend(batch)
            return claims

        both = await asyncio.gather(claim_all("a"), claim_all("b"))
        claimed = [claim.job_id for claims in both for claim in claims]
        assert sorted(claimed) == sorted(ids)

    async def test_claims_by_id_take_only_what_is_due(
        self, harness: Harness, store: JobStore
    ) -> None:
        job_id = await jobs.add.enqueue(1)
        assert [c.job_id for c in await store.claim(terms("a"), [job_id, "unknown"])] == [job_id]
        assert await store.claim(terms("b"), [job_id]) == []

    async def test_an_outcome_is_recorded_once(self, harness: Harness, store: JobStore) -> None:
        await jobs.add.enqueue(1)
        [claim] = await store.claim_due(terms("a"), 1)
        assert await store.finish([success(claim)]) == {claim.job_id}
        again = FinishedRun(claim.job_id, claim.claim_no, JobStatus.FAILED, error="late")
        assert await store.finish([again]) == frozenset()
        assert (await harness.record(claim.job_id)).status is JobStatus.SUCCESS

    async def test_a_worker_that_lost_its_lease_writes_nothing(
        self, harness: Harness, store: JobStore
    ) -> None:
        await jobs.add.enqueue(1)
        [old] = await store.claim_due(terms("a", LAPSED), 1)
        await self._rescued(store)
        [new] = await store.claim_due(terms("b"), 1)
        assert new.claim_no > old.claim_no
        assert new.attempt == old.attempt == 1

        await store.report([ProgressReport(old.job_id, old.claim_no, 50, "stale")])
        assert await store.finish([success(old)]) == frozenset()
        assert await store.renew({old.job_id: old.claim_no}, terms("a")) == {old.job_id}
        await store.release([old])

        job = await harness.record(new.job_id)
        assert (job.status, job.worker, job.progress) == (JobStatus.RUNNING, "b", None)
        assert await store.finish([success(new, "2")]) == {new.job_id}
        assert (await harness.record(new.job_id)).result == 2

    async def test_a_renewed_lease_does_not_lapse(self, harness: Harness, store: JobStore) -> None:
        await jobs.add.enqueue(1)
        [claim] = await store.claim_due(terms("a", LAPSED), 1)
        assert await store.renew({claim.job_id: claim.claim_no}, terms("a")) == frozenset()
        assert await store.rescue(10, patience=LEASE) == []

    async def test_a_released_job_is_ready_at_once_and_spends_no_attempt(
        self, harness: Harness, store: JobStore
    ) -> None:
        await jobs.add.enqueue(1)
        await store.release(await store.claim_due(terms("a"), 1))
        [again] = await store.claim_due(terms("b"), 1)
        assert (again.attempt, again.claim_no) == (1, 2)

    async def test_a_job_that_waits_for_its_time_is_not_due(
        self, harness: Harness, store: JobStore
    ) -> None:
        await jobs.add.enqueue(1)
        [claim] = await store.claim_due(terms("a"), 1)
        later = FinishedRun(
            claim.job_id,
            claim.claim_no,
            JobStatus.RETRYING,
            error="E: x",
            retry_after=timedelta(hours=1),
        )
        assert await store.finish([later]) == {claim.job_id}
        assert await store.claim_due(terms("a"), 1) == []
        due = await store.next_due(["default"])
        assert due is not None
        assert timedelta(minutes=59) < due <= timedelta(hours=1)
        assert await store.next_due(["empty"]) is None

    async def test_stale_news_of_a_dispatch_does_not_hide_a_job(
        self, harness: Harness, store: JobStore
    ) -> None:
        job_id = await jobs.add.enqueue(1)
        before_the_claim = Dispatch(job_id, "add", "default", 2, claim_no=0)
        await store.release(await store.claim_due(terms("a"), 1))
        await store.mark_dispatched([before_the_claim])
        assert [job.job_id for job in await self._relayed(store)] == [job_id]

    async def test_what_was_dispatched_is_not_relayed_again(
        self, harness: Harness, store: JobStore
    ) -> None:
        await jobs.add.enqueue(1)
        await store.forget_dispatches()
        assert len(await self._relayed(store)) == 1
        assert await self._relay(store) == []

    async def test_sweepers_at_once_relay_every_job(
        self, harness: Harness, store: JobStore
    ) -> None:
        ids = {await jobs.add.enqueue(n) for n in range(30)}
        await store.forget_dispatches()
        both = await asyncio.gather(self._relay(store), self._relay(store))
        assert {job.job_id for jobs_ in both for job in jobs_} == ids

    async def test_a_failed_publish_leaves_the_job_to_the_next_sweep(
        self, harness: Harness, store: JobStore
    ) -> None:
        async def broken(_: Sequence[Dispatch]) -> None:
            raise NatsUnavailableError("down")

        await jobs.add.enqueue(1)
        await store.forget_dispatches()
        with pytest.raises(NatsUnavailableError):
            await store.relay_undispatched(broken, 10, older_than=timedelta())
        assert len(await self._relayed(store)) == 1

    async def test_standings_tell_why_a_job_cannot_be_claimed(
        self, harness: Harness, store: JobStore
    ) -> None:
        running, ended, waiting = [await jobs.add.enqueue(n) for n in range(3)]
        [claim] = await store.claim(terms("a"), [ended])
        await store.finish([success(claim)])
        await store.claim(terms("a"), [running])
        found = await store.standings([running, ended, waiting, "unknown"])
        assert found.keys() == {running, ended, waiting}
        left = found[running].lease_left
        assert left is not None
        assert timedelta() < left <= LEASE
        assert found[ended].status is JobStatus.SUCCESS
        assert found[waiting].lease_left is None

    async def test_jobs_whose_message_is_lost_are_found(
        self, harness: Harness, store: JobStore
    ) -> None:
        job_id = await jobs.add.enqueue(1)
        await store.mark_dispatched([Dispatch(job_id, "add", "default", 2)])
        assert await store.waiting_since(timedelta(hours=1)) == []
        assert await self._suspected(store) == ["default"]
        [lost] = await store.lost("default", 10, older_than=timedelta())
        assert lost.job_id == job_id
        assert lost.again, "or the queue would take it for a repetition"

    async def _rescued(self, store: JobStore) -> Sequence[Dispatch]:
        async def look() -> Sequence[Dispatch]:
            return await store.rescue(10, patience=LEASE)

        return await until(look)

    async def _suspected(self, store: JobStore) -> Sequence[str]:
        async def look() -> Sequence[str]:
            return await store.waiting_since(timedelta())

        return await until(look)

    async def _relay(self, store: JobStore) -> list[Dispatch]:
        seen: list[Dispatch] = []

        async def publish(jobs_: Sequence[Dispatch]) -> None:
            seen.extend(jobs_)

        await store.relay_undispatched(publish, 100, older_than=timedelta())
        return seen

    async def _relayed(self, store: JobStore) -> list[Dispatch]:
        return await until(lambda: self._relay(store))
