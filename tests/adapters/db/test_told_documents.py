"""A new document and its event are one statement on PostgreSQL."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, func, select

from framework_m import FrameworkM
from framework_m.adapters.db.event_schema import event_log, event_outbox
from framework_m.core.errors import DuplicateError
from tests.support.documents import Customer


@pytest.fixture
def written(postgresql_app: FrameworkM) -> Iterator[list[str]]:
    """The statements that insert something."""
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        if "INSERT" in arguments[2]:
            statements.append(arguments[2])

    engine = postgresql_app.ports.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


async def told_of(app: FrameworkM, name: str) -> int:
    """How many events there are about it, on their way or in the log."""
    total = 0
    for table in (event_outbox, event_log):
        count = select(func.count()).where(table.c.ordering_key == f"Customer/{name}")
        total += (await app.ports.database.fetch(count))[0][0]
    return total


async def test_one_statement_inserts_both(postgresql_app: FrameworkM, written: list[str]) -> None:
    await postgresql_app.repository(Customer).save(Customer(name="a", title="Ada"))
    [statement] = written
    assert "customer" in statement
    assert "event_outbox" in statement
    await postgresql_app.ports.event_relay.sweep()
    assert await told_of(postgresql_app, "a") == 1


async def test_what_is_refused_is_not_told(postgresql_app: FrameworkM) -> None:
    customers = postgresql_app.repository(Customer)
    await customers.save(Customer(name="a"))
    with pytest.raises(DuplicateError):
        await customers.save(Customer(name="a"))
    await postgresql_app.ports.event_relay.sweep()
    assert await told_of(postgresql_app, "a") == 1
