"""What the job store promises: who holds a claim, and that nobody else can write under it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from framework_m import JobStatus
from framework_m.core.errors import NatsUnavailableError
from framework_m.core.interfaces.job_store import (
    Claim,
    ClaimTerms,
    Dispatch,
    FinishedRun,
    JobStore,
    LogLine,
    ProgressReport,
    Rescue,
)
from tests.support import jobs
from tests.support.harness import Harness, until

LEASE = timedelta(seconds=60)
LAPSED = timedelta(milliseconds=1)


def terms(worker: str, lease: timedelta = LEASE) -> ClaimTerms:
    return ClaimTerms(worker, ("default",), lease)


def line(claim: Claim, number: int, message: str) -> LogLine:
    at = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
    return LogLine(claim.job_id, claim.claim_no, number, at, "INFO", message, "a.logger")


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
        # Asked to stop, it runs until its own worker says how it ended.
        await harness.app.jobs.cancel(new.job_id)

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
        assert await self._rescue(store) == Rescue([], [], [])

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

    async def test_a_dead_workers_run_is_kept_as_an_attempt(
        self, harness: Harness, store: JobStore
    ) -> None:
        job_id = await jobs.add.enqueue(1)
        await store.claim_due(terms("a", LAPSED), 1)
        await self._rescued(store)
        job = await harness.record(job_id)
        assert (job.status, job.rescues, job.attempt) == (JobStatus.QUEUED, 1, 0)
        [attempt] = job.attempts
        assert attempt.error == (
            "WorkerDiedError: the worker a died, or was cut off, while it ran this"
        )
        assert (attempt.attempt, attempt.worker, attempt.traceback) == (1, "a", None)

    async def test_a_rescued_job_goes_before_what_was_asked_for_later(
        self, harness: Harness, store: JobStore
    ) -> None:
        first, second = [await jobs.add.enqueue(n) for n in range(2)]
        await store.claim(terms("a", LAPSED), [first])
        await self._rescued(store)
        claims = await store.claim_due(terms("b"), 2)
        assert [claim.job_id for claim in claims] == [first, second]

    async def test_workers_that_die_in_company_make_no_job_poison(
        self, harness: Harness, store: JobStore
    ) -> None:
        job_id = await jobs.add.enqueue(1)
        for nth in range(6):
            [claim] = await store.claim_due(terms("a", LAPSED), 1)
            assert claim.rescues == nth
            assert (await self._rescued(store, max_rescues=1)).ready
        assert (await harness.record(job_id)).status is JobStatus.QUEUED

    async def test_a_job_that_kills_its_worker_alone_is_poison_in_the_end(
        self, harness: Harness, store: JobStore
    ) -> None:
        job_id = await jobs.add.enqueue(1)
        for last in (False, True):
            [claim] = await store.claim_due(terms("a", LAPSED), 1)
            assert await store.start_alone(claim)
            found = await self._rescued(store, max_rescues=2)
            assert found.poison == ([job_id] if last else [])
        job = await harness.record(job_id)
        assert (job.status, job.attempt, len(job.attempts)) == (JobStatus.FAILED, 1, 2)
        assert job.error == "PoisonJobError: it ran alone, and its worker died, 2 times"
        assert job.completed_at is not None
        assert await store.claim_due(terms("a"), 1) == []

    async def test_only_the_run_that_was_alone_answers_for_its_worker(
        self, harness: Harness, store: JobStore
    ) -> None:
        await jobs.add.enqueue(1)
        [claim] = await store.claim_due(terms("a"), 1)
        assert await store.start_alone(claim)
        await store.release([claim])
        assert not await store.start_alone(claim), "its claim is gone"
        await store.claim_due(terms("a", LAPSED), 1)
        assert (await self._rescued(store, max_rescues=1)).ready, "this time it was in company"

    async def test_a_job_that_comes_to_an_end_of_its_own_is_no_suspect_any_more(
        self, harness: Harness, store: JobStore
    ) -> None:
        await jobs.add.enqueue(1)
        await store.claim_due(terms("a", LAPSED), 1)
        await self._rescued(store)
        [claim] = await store.claim_due(terms("a"), 1)
        again = FinishedRun(
            claim.job_id, claim.claim_no, JobStatus.RETRYING, error="E: x", retry_after=timedelta()
        )
        await store.finish([again])
        [claim] = await store.claim_due(terms("a"), 1)
        assert (claim.rescues, claim.attempt) == (0, 2)

    async def test_every_failed_attempt_is_kept(self, harness: Harness, store: JobStore) -> None:
        job_id = await jobs.add.enqueue(1)
        for number, status in enumerate((JobStatus.RETRYING, JobStatus.FAILED), 1):
            [claim] = await store.claim_due(terms("a"), 1)
            error = f"E: {number}"
            run = FinishedRun(
                job_id, claim.claim_no, status, error=error, traceback="t", retry_after=timedelta()
            )
            assert await store.finish([run]) == {job_id}
            assert await store.finish([run]) == {job_id}, "said twice, as after a lost answer"
        attempts = (await harness.record(job_id)).attempts
        assert [(it.attempt, it.error) for it in attempts] == [(1, "E: 1"), (2, "E: 2")]
        assert {it.traceback for it in attempts} == {"t"}
        assert all(it.started_at and it.started_at <= it.ended_at for it in attempts)

    async def test_a_blocked_job_is_claimed_only_once_its_gate_opens(
        self, harness: Harness, store: JobStore
    ) -> None:
        job_id = await jobs.add.enqueue(1)
        [claim] = await store.claim_due(terms("a"), 1)
        blocked = FinishedRun(
            job_id,
            claim.claim_no,
            JobStatus.SCHEDULED,
            error="E: closed",
            spends_attempt=False,
            blocked_on="gate",
        )
        await store.finish([blocked])
        job = await harness.record(job_id)
        assert (job.blocked_on, job.error, job.attempts) == ("gate", "E: closed", ())
        assert await store.claim_due(terms("a"), 1) == []
        assert await store.next_due(["default"]) is None
        assert await store.unblock(["another"], 10, older_than=timedelta()) == []
        assert await store.unblock(["gate"], 10, older_than=timedelta(hours=1)) == []
        [ready] = await store.unblock(["another", "gate"], 10, older_than=timedelta())
        assert ready.job_id == job_id
        [claim] = await store.claim_due(terms("a"), 1)
        assert claim.attempt == 1

    async def test_lines_are_kept_in_order_and_read_by_pages(
        self, harness: Harness, store: JobStore
    ) -> None:
        job_id = await jobs.add.enqueue(1)
        [first] = await store.claim_due(terms("a", LAPSED), 1)
        for _ in range(2):  # as after a lost answer
            await store.say([line(first, 0, "a"), line(first, 1, "b")])
        await self._rescued(store)
        await store.say([line(first, 2, "too late")])
        [second] = await store.claim_due(terms("b"), 1)
        await store.say([line(second, 0, "c")])
        found = await store.lines(job_id, after=None, limit=2)
        assert found == [line(first, 0, "a"), line(first, 1, "b")]
        rest = await store.lines(job_id, after=(found[-1].claim_no, found[-1].number), limit=2)
        assert [it.message for it in rest] == ["c"]
        assert await store.lines("unknown", after=None, limit=2) == []

    async def _rescue(self, store: JobStore, max_rescues: int = 3) -> Rescue:
        return await store.rescue(10, patience=LEASE, max_rescues=max_rescues)

    async def _rescued(self, store: JobStore, max_rescues: int = 3) -> Rescue:
        async def look() -> Rescue | None:
            found = await self._rescue(store, max_rescues)
            return found if found.ready or found.poison else None

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
