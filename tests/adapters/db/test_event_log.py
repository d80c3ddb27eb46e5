"""The outbox becomes the log: in SQLite statement by statement, in PostgreSQL by one."""

import pytest
from sqlalchemy import insert, select

from framework_m.adapters.db.engine import Database
from framework_m.adapters.db.event_log import EventLog
from framework_m.adapters.db.event_outbox import values
from framework_m.adapters.db.event_schema import event_delivery, event_log, event_outbox
from framework_m.adapters.db.schema import database_now, metadata
from framework_m.core.events.topics import matches
from framework_m.core.interfaces.event_bus import (
    EventMessage,
    ReceivedEvent,
    Subscription,
)

PATTERNS = ("a", "a.b", "a-b.c_d", "*", "a.*", "*.b", "*.*", ">", "a.>", "*.b.>", "a.*.c", "A.b")
TOPICS = ("a", "b", "ab", "a.b", "axb", "a.b.c", "a.b.c.d", "a-b.c_d", "x.b", "x.b.c", "A.b", "a.B")


async def ignore(_: ReceivedEvent) -> None:
    """Nobody reads here."""


def message(number: int, topic: str = "a") -> EventMessage:
    return EventMessage(f"e{number}", topic, "Doc/1", {"id": f"e{number}"}, '{"n": 1}')


async def define(log: EventLog, name: str, pattern: str) -> None:
    await log.define(name, Subscription(pattern, ignore, name))


async def commit(database: Database, *messages: EventMessage) -> None:
    """Into the outbox, with nobody to publish them."""
    new = insert(event_outbox).values(created_at=database_now())
    async with database.begin() as connection:
        for one in messages:
            await connection.execute(new, values(one))


@pytest.fixture
async def log(database: Database) -> EventLog:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return EventLog(database, notify_channel="framework_m_events")


async def test_groups_get_the_topics_of_their_patterns(log: EventLog, database: Database) -> None:
    for number, pattern in enumerate(PATTERNS):
        await define(log, f"g{number}", pattern)
    await commit(database, *(message(number, topic) for number, topic in enumerate(TOPICS)))
    assert await log.drain(100) == len(TOPICS)
    found = await database.fetch(select(event_delivery.c.group_name, event_delivery.c.topic))
    heard = {(PATTERNS[int(name[1:])], topic) for name, topic in found}
    assert heard == {(p, topic) for p in PATTERNS for topic in TOPICS if matches(p, topic)}


async def test_sequences_follow_positions_through_batches(
    log: EventLog, database: Database
) -> None:
    await commit(database, *(message(number) for number in range(25)))
    assert [await log.drain(10) for _ in range(4)] == [10, 10, 5, 0]
    assert [it.event_id for _, it in await log.read(0, 100)] == [f"e{it}" for it in range(25)]


async def test_an_event_that_comes_again_is_dropped(log: EventLog, database: Database) -> None:
    await define(log, "g", "a")
    await commit(database, message(1), message(2), message(1))
    assert await log.drain(10) == 3
    await commit(database, message(2), message(3))
    assert await log.drain(10) == 2
    delivered = select(event_delivery.c.event_id).order_by(event_delivery.c.sequence)
    assert [row.event_id for row in await database.fetch(delivered)] == ["e1", "e2", "e3"]
    assert [it.event_id for _, it in await log.read(0, 100)] == ["e1", "e2", "e3"]


async def test_what_is_moved_is_what_was_committed(log: EventLog, database: Database) -> None:
    await define(log, "g", "a")
    sent = message(1)
    await commit(database, sent)
    await log.drain(10)
    [(_, read)] = await log.read(0, 10)
    assert read == sent
    [row] = await database.fetch(select(event_delivery))
    assert (row.attempt, row.claim_no, row.lease_until) == (0, 0, None)
    assert row.due_at is not None
    assert row.created_at is not None
    [logged] = await database.fetch(select(event_log.c.logged_at))
    assert logged.logged_at is not None
