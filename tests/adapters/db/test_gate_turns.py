"""Gates under pressure: whose turn it is, and that no transaction keeps others from theirs."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from framework_m import FrameworkM, JobStatus, Queue
from framework_m.adapters.db import job_gates_sql
from framework_m.adapters.db.schema import job_rate
from framework_m.core.interfaces.job_store import Claim, ClaimTerms, FinishedRun
from framework_m.core.jobs.gates import GateOpener
from tests.support import limited_jobs as jobs
from tests.support.harness import Harness, until

MODULES = ("tests.support.limited_jobs",)
ONE, TWO = "limit::one_at_once", "limit::two_at_once"
SPACED = "rate/1::spaced"


@pytest.fixture(params=["sqlite", "postgresql"])
def harness(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


async def test_a_claim_holds_no_gate_while_it_waits_for_another(
    postgresql: Harness, tmp_path: Path
) -> None:
    async with postgresql.application(MODULES) as app:
        database = app.ports.database
        first = await jobs.one_at_once.enqueue(tmp_path, tmp_path)
        second = await jobs.two_at_once.options(queue="other").enqueue(tmp_path, tmp_path)
        async with database.begin() as deciding:
            await deciding.execute(job_gates_sql.LOCK, {"gates": [TWO]})
            claiming = asyncio.create_task(claimed(app, ["default", "other"]))
            await until(lambda: somebody_waits(app))
            # Whoever holds what the claim waits for, and wants what it has passed, must get it.
            wanted = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:gate, 1))")
            assert (await deciding.execute(wanted, {"gate": ONE})).scalar_one()
        assert [claim.job_id for claim in await claiming] == [first, second]


async def test_a_transaction_that_cancels_keeps_nobody_waiting_at_the_gate(
    postgresql: Harness, tmp_path: Path
) -> None:
    async with postgresql.application(MODULES) as app:
        calls = [jobs.one_at_once.call(tmp_path, tmp_path) for _ in range(2)]
        first, second = await app.enqueue_many(calls)
        other = await jobs.one_at_once.enqueue(tmp_path, tmp_path)
        async with app.transaction():
            await first.cancel()
            async with asyncio.timeout(10):
                assert [claim.job_id for claim in await claimed(app)] in ([other], [])
        assert (await second.record()).blocked_on is None, "who was to come next does"


async def test_who_comes_later_does_not_overtake_who_waits(
    harness: Harness, tmp_path: Path
) -> None:
    async with harness.application(MODULES) as app:
        store = app.ports.job_store
        handles = [await jobs.one_at_once.enqueue(tmp_path, tmp_path) for _ in range(3)]
        [running] = await claimed(app)
        late = await jobs.one_at_once.enqueue(tmp_path, tmp_path)
        urgent = await jobs.one_at_once.options(priority=1).enqueue(tmp_path, tmp_path)
        await left(app, running)
        # Its message is on its way: those of others arrive before.
        assert await store.claim(terms(), [late]) == []
        [next_one] = await store.claim(terms(), [handles[1]])
        await left(app, next_one)
        [before_all] = await store.claim(terms(), [urgent])
        assert before_all.job_id == urgent, "the most urgent waits for nobody else"


async def test_who_waits_in_a_paused_queue_keeps_nobody_from_the_gate(
    harness: Harness, tmp_path: Path
) -> None:
    async with harness.application(MODULES) as app:
        slow = jobs.one_at_once.options(queue="slow")
        await app.enqueue_many([slow.call(tmp_path, tmp_path) for _ in range(4)])
        [running] = await claimed(app, ["slow"])
        await app.repository(Queue).save(Queue(name="slow", paused=True))
        other = await jobs.one_at_once.enqueue(tmp_path, tmp_path)
        assert await claimed(app) == []
        await left(app, running)
        [claim] = await claimed(app)
        assert claim.job_id == other
        late = await jobs.one_at_once.enqueue(tmp_path, tmp_path)
        await left(app, claim)
        assert [claim.job_id for claim in await claimed(app)] == [late]


async def test_what_waits_for_a_rate_from_the_start_is_looked_after(harness: Harness) -> None:
    async with harness.application(MODULES) as app:
        store = app.ports.job_store
        await app.enqueue_many([jobs.spaced.call(number) for number in range(3)])
        seen = store.rates_closed.calls
        assert len(await claimed(app)) == 1
        assert store.rates_closed.calls > seen, "the opener is told to look when there is time"
        report = await store.look_at_gates("")
        assert report.wait is not None
        assert report.wait <= timedelta(milliseconds=50)


async def test_a_time_that_no_start_can_have_left_closes_no_rate(harness: Harness) -> None:
    """After the clock was set back, or when the code allows more than it did."""
    async with harness.application(MODULES) as app:
        await jobs.daily.enqueue(1)
        assert len(await claimed(app)) == 1
        await rate_free_at(app, datetime.now(UTC) + timedelta(days=3))
        again = await jobs.daily.enqueue(2)
        assert [claim.job_id for claim in await claimed(app)] == [again]
        await jobs.daily.enqueue(3)
        assert await claimed(app) == [], "and the next keeps its distance"


async def test_who_has_time_but_no_place_lets_the_next_use_the_time(harness: Harness) -> None:
    async with harness.application(MODULES) as app:

        async def enqueue(name: str) -> str:
            return str(await jobs.rated_by_customer.enqueue(name))

        [_] = [await enqueue("Ada")]
        [ada] = await claimed(app)
        waits = [await enqueue("Ada"), await enqueue("Bob")]
        for job_id in waits:
            await harness.change(job_id, blocked_on="rate/3600::rated_by_customer")
        await rate_free_at(app, datetime.now(UTC) - timedelta(hours=2))
        opener = GateOpener(app.ports.job_store, app.ports.relay, 3600)
        await opener.look()
        assert await claimed(app) == [], "Ada's place is taken"
        [bob] = await claimed(app)
        assert (bob.job_id, ada.job_id) != (waits[0], waits[1])
        assert bob.job_id == waits[1]


def terms(queues: Sequence[str] = ("default",)) -> ClaimTerms:
    return ClaimTerms("w", tuple(queues), timedelta(seconds=10))


async def claimed(app: FrameworkM, queues: Sequence[str] = ("default",)) -> Sequence[Claim]:
    return await app.ports.job_store.claim_due(terms(queues), 10)


async def left(app: FrameworkM, claim: Claim) -> None:
    """It has succeeded."""
    run = FinishedRun(claim.job_id, claim.claim_no, JobStatus.SUCCESS, gates=claim.gates)
    await app.ports.job_store.finish([run])


async def somebody_waits(app: FrameworkM) -> bool:
    waiting = text("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with app.ports.database.read() as connection:
        return (await connection.execute(waiting)).first() is not None


async def rate_free_at(app: FrameworkM, moment: datetime) -> None:
    async with app.ports.database.begin() as connection:
        await connection.execute(update(job_rate).values(free_at=moment))
