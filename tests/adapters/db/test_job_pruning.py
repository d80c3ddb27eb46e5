"""JobPruner on SQLite and on PostgreSQL."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text, update

from framework_m import JobStatus
from framework_m.adapters.db.access_schema import job_replay
from framework_m.adapters.db.job_pruning import JobPruner
from framework_m.adapters.db.schema import job_log
from framework_m.core.interfaces.job_pruning import JobPruning
from framework_m.core.interfaces.replays import Asked, ReplayStore
from tests.contracts.job_pruning_contract import JobPruningContract
from tests.support import jobs
from tests.support.harness import Harness

A_DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


class TestBothDatabases(JobPruningContract):
    @pytest.fixture
    def harness(self, either: Harness) -> Harness:
        return either

    @pytest.fixture
    def pruning(self, either: Harness) -> JobPruning:
        return JobPruner(either.app.ports.database)


async def test_rows_that_somebody_holds_are_left_and_not_waited_for(postgresql: Harness) -> None:
    pruner = JobPruner(postgresql.app.ports.database)
    ids = [await jobs.add.enqueue(n) for n in range(2)]
    for job_id in ids:
        past = datetime.now(UTC) - timedelta(days=2)
        await postgresql.change(job_id, status="Success", enqueued_at=past, completed_at=past)
    async with asyncio.timeout(10), postgresql.app.transaction() as tx:
        held = job_log.c.name == ids[0]
        await tx.execute(select(job_log.c.name).where(held).with_for_update())
        removed = await pruner.remove_old(JobStatus.SUCCESS, older_than=A_DAY, job_ids=ids)
    assert removed == 1
    assert await postgresql.app.jobs.get(ids[0]) is not None


@pytest.fixture
def written(sqlite: Harness) -> Iterator[list[str]]:
    """The transactions that begin to write."""
    statements: list[str] = []

    def note(connection: Any) -> None:
        if not connection.get_execution_options().get("framework_m_read_only"):
            statements.append("begin")

    engine = sqlite.app.ports.database.engine.sync_engine
    event.listen(engine, "begin", note)
    yield statements
    event.remove(engine, "begin", note)


async def test_looking_for_old_rows_asks_for_no_write_lock(
    sqlite: Harness, written: list[str]
) -> None:
    await jobs.add.enqueue(1)
    written.clear()
    await sqlite.app.retention.prune()
    assert written == []


async def filled_with_jobs(harness: Harness, count: int) -> None:
    """So many that succeeded, a second apart from each other, the first 30 days ago."""
    first = datetime.now(UTC) - timedelta(days=30)
    rows = [
        {
            "name": f"{n:036d}",
            "job_name": "add",
            "queue": "default",
            "priority": 2,
            "status": "Success",
            "args": "{}",
            "enqueued_at": first + timedelta(seconds=n),
            "scheduled_at": first + timedelta(seconds=n),
            "completed_at": first + timedelta(seconds=n),
            "updated_at": first + timedelta(seconds=n),
            "attempt": 1,
            "max_attempts": 1,
            "claim_no": 1,
            "rescues": 0,
        }
        for n in range(count)
    ]
    async with harness.app.transaction() as tx:
        await tx.execute(insert(job_log), rows)


async def filled_with_requests(harness: Harness, *, old: int, new: int) -> None:
    now = datetime.now(UTC)
    rows = [
        {
            "user_id": f"user {n % 7}",
            "key": f"key {n}",
            "digest": "0" * 64,
            "job_id": f"{n:036d}",
            "created_at": now - timedelta(hours=25 if n < old else 1),
        }
        for n in range(old + new)
    ]
    async with harness.app.transaction() as tx:
        await tx.execute(insert(job_replay), rows)


async def test_requests_are_forgotten_when_they_are_too_old(either: Harness) -> None:
    await filled_with_requests(either, old=30, new=20)
    replays: ReplayStore = either.app.replays
    removed, steps = 0, 0
    last: Asked | None = None
    while steps == 0 or last is not None:
        count, last = await replays.forget_expired(8, after=last)
        assert count <= 8
        removed, steps = removed + count, steps + 1
    assert (removed, steps) == (30, 7)
    async with either.app.transaction() as tx:
        left = (await tx.execute(select(job_replay.c.key))).scalars().all()
    assert sorted(left) == sorted(f"key {n}" for n in range(30, 50))


async def test_a_request_that_somebody_holds_is_left_for_the_next_time(
    postgresql: Harness,
) -> None:
    await filled_with_requests(postgresql, old=3, new=0)
    async with asyncio.timeout(10), postgresql.app.transaction() as tx:
        held = job_replay.c.key == "key 1"
        await tx.execute(update(job_replay).where(held).values(digest="1" * 64))
        assert await postgresql.app.replays.forget_expired(9) == (2, None)
    assert await postgresql.app.replays.forget_expired(9) == (1, None)


async def test_more_than_a_batch_goes_and_it_says_how_far_it_is(either: Harness) -> None:
    await filled_with_jobs(either, 1200)
    await filled_with_requests(either, old=5, new=5)
    told: list[tuple[float, str]] = []
    pruned = await either.app.retention.prune(
        {JobStatus.SUCCESS: 1}, tell=lambda it: told.append((it.share, str(it)))
    )
    assert pruned.removed == {
        "Success": 1200,
        "Failed": 0,
        "Cancelled": 0,
        "requests": 5,
        "due_times": 0,
    }
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert (0.0, "removed 500 Success") in told
    assert told[-1] == (1.0, "removed 1200 Success, 5 requests")
    assert await either.app.jobs.list() == []


async def test_what_ends_it_between_batches_keeps_what_is_done(either: Harness) -> None:
    class Enough(Exception):
        pass

    def tell(_: object) -> None:
        raise Enough

    await filled_with_jobs(either, 600)
    with pytest.raises(Enough):
        await either.app.retention.prune({JobStatus.SUCCESS: 1}, tell=tell)
    assert len(await either.app.jobs.list(limit=1000)) == 100


async def test_an_index_bounds_what_is_read(postgresql: Harness) -> None:
    """However many rows there are before and beyond, of other ages and states."""
    await filled_with_jobs(postgresql, 3000)
    database = postgresql.app.ports.database
    async with database.begin() as connection:
        await connection.execute(text("ANALYZE job_log"))
    statements: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        statements.append((arguments[2], arguments[3]))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    pruner = JobPruner(database)
    some = await pruner.find_old(JobStatus.SUCCESS, older_than=A_DAY, limit=10)
    await pruner.find_old(
        JobStatus.SUCCESS, older_than=timedelta(days=29.99), limit=10, after=some[-1]
    )
    await pruner.remove_old(JobStatus.SUCCESS, older_than=A_DAY, job_ids=[some[0].job_id])
    event.remove(engine, "before_cursor_execute", note)
    first, further, removal = [statement for statement in statements if "job_log" in statement[0]]
    for statement in (first, further):
        plan = await explained(postgresql, *statement)
        # Of few rows either will do; of many, where others are older, that of the status.
        assert re.search(r"Index Scan using ix_job_log_(status|enqueued) ", plan), plan
        assert "Sort" not in plan, plan
        bounds = [line for line in plan.splitlines() if "Index Cond" in line]
        assert "enqueued_at <" in bounds[0], plan
        assert ("ROW(enqueued_at" in bounds[0]) is (statement is further), plan
    assert "Seq Scan" not in await explained(postgresql, *removal)


async def explained(harness: Harness, statement: str, parameters: Any) -> str:
    async with harness.app.ports.database.begin() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(rows.scalars())
