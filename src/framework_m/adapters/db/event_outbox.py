"""EventOutbox: the OutboxStore port, and the half of the database's bus that writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, literal_column, select
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

    from sqlalchemy import Insert, Table
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
_OF_ROW = "row_"
"""Before the names of the columns of a row that is stored with its event."""
_OLDEST_OTHERS = (
    select(_row.ordering_key, func.min(_row.position))
    .where(
        _row.ordering_key.in_(bindparam("keys", expanding=True)),
        _row.position.not_in(bindparam("ours", expanding=True)),
    )
    .group_by(_row.ordering_key)
)
_DELETE = delete(event_outbox).where(_row.position.in_(bindparam("positions", expanding=True)))

# With arrays: a list of parameters is another statement to prepare for each length.
_OLDEST_OTHERS_ON_POSTGRESQL = (
    "SELECT ordering_key, min(position) FROM event_outbox "
    "WHERE ordering_key = ANY($1::text[]) AND position <> ALL($2::bigint[]) GROUP BY ordering_key"
)
_DELETE_ON_POSTGRESQL = "DELETE FROM event_outbox WHERE position = ANY($1::bigint[])"


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
                return self.placed_at(position, messages[0])
        rows = [values(message) for message in messages]
        if not self._placed:
            await unit.execute(_NEW, rows if len(rows) > 1 else rows[0])
            return []
        positions = (await unit.execute(_NEW_PLACED, rows)).scalars().all()
        return [OutboxRow(at, message) for at, message in zip(positions, messages, strict=True)]

    def placed_at(self, position: int, message: EventMessage) -> Sequence[OutboxRow]:
        """What `append` would have returned, of a row that somebody else has written."""
        return [OutboxRow(position, message)] if self._placed else []

    async def held_back(self, rows: Sequence[OutboxRow]) -> Collection[int]:
        keyed = [row for row in rows if row.message.key is not None]
        if not keyed:
            return ()
        keys, ours = list({row.message.key for row in keyed}), [row.position for row in keyed]
        if self._is_sqlite:
            found = await self._reserved.fetch(_OLDEST_OTHERS, {"keys": keys, "ours": ours})
        else:
            found = await self._reserved.fetch_directly(_OLDEST_OTHERS_ON_POSTGRESQL, keys, ours)
        others = {row[0]: row[1] for row in found}
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

    async def is_empty(self) -> bool:
        return not await self._reserved.fetch(select(_row.position).limit(1))

    async def delete(self, rows: Sequence[OutboxRow]) -> None:
        positions = [row.position for row in rows]
        if not self._is_sqlite:
            await self._reserved.fetch_directly(_DELETE_ON_POSTGRESQL, positions)
            return
        async with self._reserved.begin() as connection:
            await connection.execute(_DELETE, {"positions": positions})


def insert_told(table: Table) -> Insert:
    """PostgreSQL: a row of the table, and its event, in one statement; RETURNS the position.

    The outbox takes its row from what the table has taken: after its locks, as every event. The
    parameters are those of `told`.
    """
    columns = {column: bindparam(_OF_ROW + column.name, type_=column.type) for column in table.c}
    stored = insert(table).values(columns).returning(literal_column("1").label("one")).cte("stored")
    event = [bindparam(name, type_=event_outbox.c[name].type) for name in _WRITTEN]
    chosen = select(*event, database_now()).select_from(stored)
    new = insert(event_outbox).from_select([*_WRITTEN, "created_at"], chosen)
    return new.returning(_row.position)


def told(row: dict[str, Any], message: EventMessage) -> dict[str, Any]:
    """The parameters of `insert_told`."""
    return {**{_OF_ROW + name: value for name, value in row.items()}, **values(message)}


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
