"""EventOutbox: the OutboxStore port, and the half of the database's bus that writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.dialects import sqlite

from framework_m.adapters.db.event_schema import event_outbox
from framework_m.adapters.db.schema import database_now
from framework_m.adapters.db.unit_of_work import UnitOfWork
from framework_m.core.events.envelope import payload, unpacked
from framework_m.core.interfaces.event_bus import EventMessage
from framework_m.core.interfaces.outbox_store import OutboxRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_row = event_outbox.c
COLUMNS = (_row.event_id, _row.topic, _row.ordering_key, _row.payload)

_NEW = insert(event_outbox).values(created_at=database_now())
_NEW_PLACED = _NEW.returning(_row.position, sort_by_parameter_order=True)
_WRITTEN = ("event_id", "topic", "ordering_key", "payload")
_NEW_ON_SQLITE = str(
    _NEW.values({name: bindparam(name) for name in _WRITTEN}).compile(
        dialect=sqlite.dialect(paramstyle="qmark")
    )
)
_NEW_ON_POSTGRESQL = (
    "INSERT INTO event_outbox (event_id, topic, ordering_key, payload, created_at) "
    "VALUES ($1, $2, $3, $4, clock_timestamp()) RETURNING position"
)
_OLDEST_OTHERS = (
    select(_row.ordering_key, func.min(_row.position))
    .where(
        _row.ordering_key.in_(bindparam("keys", expanding=True)),
        _row.position.not_in(bindparam("ours", expanding=True)),
    )
    .group_by(_row.ordering_key)
)
_DELETE = delete(event_outbox).where(_row.position.in_(bindparam("positions", expanding=True)))


class EventOutbox:
    """Keeps events in the table `event_outbox`.

    placed: whether positions are asked for; a bus in the same database does without.
    """

    def __init__(self, *, reserved: Database, placed: bool) -> None:
        self._reserved = reserved
        self._placed = placed
        self._is_sqlite = not reserved.is_postgresql

    async def append(
        self, unit: UnitOfWorkProtocol | AsyncConnection, messages: Sequence[EventMessage]
    ) -> Sequence[OutboxRow]:
        if len(messages) == 1 and type(unit) is UnitOfWork:
            statement = _NEW_ON_SQLITE if self._is_sqlite else _NEW_ON_POSTGRESQL
            row = tuple(values(messages[0]).values())
            position = await unit.insert_directly(statement, row)
            if position is not None:
                return [OutboxRow(position, messages[0])] if self._placed else []
        rows = [values(message) for message in messages]
        if not self._placed:
            await unit.execute(_NEW, rows if len(rows) > 1 else rows[0])
            return []
        positions = (await unit.execute(_NEW_PLACED, rows)).scalars().all()
        return [OutboxRow(at, message) for at, message in zip(positions, messages, strict=True)]

    async def held_back(self, rows: Sequence[OutboxRow]) -> Collection[int]:
        keyed = [row for row in rows if row.message.key is not None]
        if not keyed:
            return ()
        ours = {
            "keys": list({row.message.key for row in keyed}),
            "ours": [r.position for r in keyed],
        }
        others = {row[0]: row[1] for row in await self._reserved.fetch(_OLDEST_OTHERS, ours)}
        return {
            row.position
            for row in keyed
            if row.message.key in others and row.position > others[row.message.key]
        }

    async def oldest(self, limit: int, *, older_than: timedelta) -> Sequence[OutboxRow]:
        age = older_than.total_seconds()
        waiting = (
            select(_row.position, *COLUMNS)
            .where(_row.created_at <= database_now(-age))
            .order_by(_row.position)
            .limit(limit)
        )
        return [OutboxRow(at, message(rest)) for at, *rest in await self._reserved.fetch(waiting)]

    async def delete(self, rows: Sequence[OutboxRow]) -> None:
        async with self._reserved.begin() as connection:
            await connection.execute(_DELETE, {"positions": [row.position for row in rows]})


def values(message: EventMessage) -> dict[str, Any]:
    """A message as the columns of any table of events."""
    return {
        "event_id": message.event_id,
        "topic": message.topic,
        "ordering_key": message.key,
        "payload": payload(message),
    }


def message(row: Sequence[Any]) -> EventMessage:
    """A message from those columns."""
    event_id, topic, key, text = row
    return unpacked(event_id, topic, key, text)
