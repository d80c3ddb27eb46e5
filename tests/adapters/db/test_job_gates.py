"""Gates in the database: who leaves and who decides take turns; what is left closed is found."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from framework_m import JobStatus
from framework_m.adapters.db import job_gates, job_gates_sql
from framework_m.core.interfaces.job_store import ClaimTerms, FinishedRun
from framework_m.core.jobs.gates import GateOpener
from tests.support import limited_jobs as jobs
from tests.support.harness import Harness, until

MODULES = ("tests.support.limited_jobs",)
TERMS = ClaimTerms("w", ("default",), timedelta(seconds=10))
GATE = "limit::one_at_once"


@pytest.fixture(params=["sqlite", "postgresql"])
def harness(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


async def test_who_leaves_waits_for_who_decides_at_the_gate(
    postgresql: Harness, tmp_path: Path
) -> None:
    async with postgresql.application(MODULES) as app:
        store, database = app.ports.job_store, app.ports.database
        first = await jobs.one_at_once.enqueue(tmp_path, tmp_path)
        [claim] = await store.claim_due(TERMS, 1)
        assert claim.gates == (GATE,)
        second = await jobs.one_at_once.enqueue(tmp_path, tmp_path)
        run = FinishedRun(first, claim.claim_no, JobStatus.SUCCESS, gates=claim.gates)
        async with database.begin() as deciding:
            await deciding.execute(job_gates_sql.LOCK, {"gates": [GATE]})
            leaving = asyncio.create_task(store.finish([run]))

            async def waits() -> bool:
                waiting = text("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                async with database.read() as connection:
                    return (await connection.execute(waiting)).first() is not None

            await until(waits)
            # The place looked taken: this one is to wait, which nobody can see yet.
            await deciding.execute(job_gates_sql.block(GATE, [second]))
        assert await leaving == {first}
        assert (await postgresql.record(second)).blocked_on is None, "it was let in all the same"


async def test_gates_that_nobody_opens_are_found_some_at_a_time(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_gates, "_GATES_AT_ONCE", 3)
    async with harness.application(MODULES) as app:
        handles = [await app.enqueue("once_an_hour", host=f"h{n}") for n in range(4)]
        handles += [await app.enqueue("told_by_key", key=f"k{n}", log="x") for n in range(3)]
        parked = await app.enqueue("free", number=1)
        for handle in handles:
            [gate] = json.loads((await gates_of(harness, handle)) or "[]")
            await harness.change(handle, blocked_on=gate)
        await harness.change(parked, blocked_on="function:free")
        opener = GateOpener(app.ports.job_store, app.ports.relay, 0)
        await opener.look()
        rates = [(await harness.record(handle)).blocked_on for handle in handles]
        assert rates[:4] == [None] * 4, "a rate that has time is opened at once"
        await opener.look()
        assert [(await harness.record(handle)).blocked_on for handle in handles] == [None] * 7
        assert (await harness.record(parked)).blocked_on == "function:free"


async def test_the_first_in_line_is_let_through_and_only_as_many_as_there_is_room(
    harness: Harness, tmp_path: Path
) -> None:
    async with harness.application(MODULES) as app:
        store = app.ports.job_store
        handles = [await jobs.one_at_once.enqueue(tmp_path, tmp_path) for _ in range(6)]
        [claim] = await store.claim_due(TERMS, 6)
        assert claim.job_id == handles[0]
        await harness.change(handles[4], priority=1)
        assert [job.job_id for job in await store.let_through({GATE: 2})] == [
            handles[4],
            handles[1],
        ]
        assert await store.claim_due(TERMS, 6) == []
        run = FinishedRun(claim.job_id, claim.claim_no, JobStatus.SUCCESS, gates=claim.gates)
        await store.finish([run])
        [urgent] = await store.claim_due(TERMS, 6)
        assert (urgent.job_id, urgent.attempt) == (handles[4], 1)


async def test_rates_that_have_had_time_for_long_are_forgotten(harness: Harness) -> None:
    async with harness.application(MODULES) as app:
        store = app.ports.job_store
        await app.enqueue("once_an_hour", host="a")
        assert len(await store.claim_due(TERMS, 6)) == 1
        assert await store.forget_rates(10) == 0
        async with app.ports.database.begin() as connection:
            await connection.execute(text("UPDATE job_rate SET free_at = '2020-01-01 00:00:00'"))
        assert await store.forget_rates(10) == 1


async def gates_of(harness: Harness, job_id: str) -> str | None:
    query = text("SELECT gates FROM job_log WHERE name = :name")
    async with harness.app.ports.database.read() as connection:
        found: str | None = (await connection.execute(query, {"name": job_id})).scalar_one()
    return found


@pytest.mark.parametrize("is_deleted", [False, True], ids=["cancelled", "deleted"])
async def test_who_is_cancelled_before_it_begins_leaves_its_place(
    harness: Harness, tmp_path: Path, is_deleted: bool
) -> None:
    async with harness.application(MODULES) as app:
        calls = [jobs.one_at_once.call(tmp_path, tmp_path) for _ in range(3)]
        first, second, third = await app.enqueue_many(calls)
        assert [claim.blocked_on for claim in [await h.record() for h in (first, second)]] == [
            None,
            GATE,
        ]
        await (app.jobs.delete(first) if is_deleted else first.cancel())
        assert (await second.record()).blocked_on is None
        assert (await third.record()).blocked_on == GATE


async def test_who_comes_to_nothing_keeps_nobody_waiting_at_a_gate(harness: Harness) -> None:
    async with harness.application(MODULES) as app:
        async with app.worker():
            ended = await jobs.once_each.enqueue(1)
            await ended.result(timeout=20)
        there, new = await app.enqueue_many([jobs.once_each.call(1), jobs.once_each.call(2)])
        assert (there, new.existed) == (ended, False)
        assert (await new.record()).blocked_on is None, "nobody is there who would let it in"
