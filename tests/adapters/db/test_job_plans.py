"""What workers ask for all the time finds its rows by an index, whatever plan PostgreSQL keeps."""

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event

from framework_m import FrameworkM, Queue
from framework_m.core.interfaces.job_store import ClaimTerms, Dispatch, JobStore
from tests.support.harness import Harness
from tests.support.servers import PostgresServer, plain_dsn

TERMS = ClaimTerms("a", ("default",), timedelta(seconds=10))
NOW = timedelta()
_READS_EVERY_RECORD = "SELECT job_queue.name, job_queue.paused"
"""All of a small table is wanted."""
Ask = Callable[[JobStore], Awaitable[Any]]
AskQueues = Callable[[FrameworkM], Awaitable[Any]]


async def publish(_: Any) -> None:
    """Nothing is there to be published."""


QUESTIONS: dict[str, Ask] = {
    "claim due": lambda store: store.claim_due(TERMS, 50),
    "claim by id": lambda store: store.claim(TERMS, ["1", "2"]),
    "renew": lambda store: store.renew({"1": 1}, TERMS),
    "rescue": lambda store: store.rescue(50, patience=timedelta(hours=1), max_rescues=3),
    "unblock": lambda store: store.unblock(["a", "b"], 50, older_than=NOW),
    "next due": lambda store: store.next_due(["default"]),
    "mark dispatched": lambda store: store.mark_dispatched([Dispatch("1", "add", "default", 2)]),
    "standings": lambda store: store.standings(["1", "2"]),
    "look at gates": lambda store: store.look_at_gates("a"),
    "let through": lambda store: store.let_through({"limit:a": 2}),
    "forget rates": lambda store: store.forget_rates(10),
    "watch": lambda store: store.watch({"1": 1}),
    "lines": lambda store: store.lines("1", after=(1, 2), limit=3),
    "get": lambda store: store.get("1"),
}

OF_QUEUES: dict[str, AskQueues] = {
    "all queues": lambda app: app.queues.list(),
    "one queue": lambda app: app.queues.get("default"),
}


@pytest.fixture
def asked(postgresql: Harness) -> Iterator[list[str]]:
    """The statements that reach the database."""
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    ports = postgresql.app.ports
    engines = [ports.database.engine.sync_engine, ports.reserved.engine.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield statements
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


async def planned(connection: asyncpg.Connection, statement: str) -> str:
    """The plan that serves any parameters."""
    await connection.execute(f"PREPARE asked AS {statement}")
    count = len(set(re.findall(r"\$\d+", statement)))
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    rows = await connection.fetch(f"EXPLAIN EXECUTE asked{arguments}")
    await connection.execute("DEALLOCATE asked")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("question", [*QUESTIONS, *OF_QUEUES])
async def test_a_question_finds_its_rows_by_an_index(
    postgresql: Harness,
    asked: list[str],
    postgres_server: PostgresServer,
    jobs_schema: str,
    question: str,
) -> None:
    if question in OF_QUEUES:
        await OF_QUEUES[question](postgresql.app)
        asked.remove(next(text for text in asked if _READS_EVERY_RECORD in text))
    else:
        await QUESTIONS[question](postgresql.app.ports.job_store)
    await found_by_an_index(asked, postgres_server, jobs_schema)


async def test_who_passes_a_gate_is_decided_by_an_index(
    postgresql: Harness,
    asked: list[str],
    postgres_server: PostgresServer,
    jobs_schema: str,
) -> None:
    app = postgresql.app
    await app.repository(Queue).save(Queue(name="default", concurrency=1))
    for _ in range(3):
        await app.enqueue("add", a=1)
    asked.clear()
    assert len(await app.ports.job_store.claim_due(TERMS, 2)) == 1
    assert any("pg_advisory_xact_lock" in text for text in asked)
    await found_by_an_index(asked, postgres_server, jobs_schema)


async def found_by_an_index(asked: list[str], server: PostgresServer, schema: str) -> None:
    assert asked
    connection = await asyncpg.connect(
        plain_dsn(server.url), server_settings={"search_path": schema}
    )
    try:
        # So that it takes one only where there is no other way, however few the rows are.
        await connection.execute("SET enable_seqscan = off")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        for statement in asked:
            plan = await planned(connection, statement)
            assert "Seq Scan" not in plan, plan
    finally:
        await connection.close()
