"""EventLog: the bus in the database. Sequences, groups, replay, retention."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from framework_m.adapters.db import event_drain
from framework_m.adapters.db import event_outbox as outbox
from framework_m.adapters.db.event_schema import (
    event_delivery,
    event_group,
    event_inbox,
    event_log,
    event_outbox,
)
from framework_m.adapters.db.schema import database_now
from framework_m.core.events.topics import matches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.event_bus import EventMessage, Start, Subscription

_entry = event_log.c
_COLUMNS = (_entry.event_id, _entry.topic, _entry.ordering_key, _entry.payload)
_BACKFILL = 1000

_WAITING = (
    select(event_outbox.c.position, *outbox.COLUMNS)
    .order_by(event_outbox.c.position)
    .limit(bindparam("limit"))
)
_MOVED = delete(event_outbox).where(
    event_outbox.c.position.in_(bindparam("positions", expanding=True))
)
_GROUPS = select(event_group.c.name, event_group.c.topic).where(event_group.c.stream.is_(None))
_DELIVER = insert(event_delivery).values(
    attempt=0, claim_no=0, due_at=database_now(), created_at=database_now()
)
_AFTER = (
    select(_entry.sequence, *_COLUMNS)
    .where(_entry.sequence > bindparam("after"))
    .order_by(_entry.sequence)
    .limit(bindparam("limit"))
)


class EventLog:
    """Keeps events in the table `event_log`, and a row per group and event that it has to handle.

    notify_channel: announce new events there (PostgreSQL NOTIFY).
    """

    def __init__(self, database: Database, *, notify_channel: str) -> None:
        self._database = database
        self._notify_channel = notify_channel
        self._insert = insert_postgresql if database.is_postgresql else insert_sqlite

    async def drain(self, limit: int) -> int:
        """Move committed rows of the outbox here, oldest first, and to the groups; how many."""
        if self._database.is_postgresql:
            async with self._database.read() as connection:
                return await event_drain.drain(connection, limit, self._notify_channel)
        if not await self._database.fetch(_WAITING, {"limit": 1}):
            return 0  # the rule; SQLite's write lock is not asked for
        async with self._database.begin() as connection:
            await self._lock(connection)
            rows = (await connection.execute(_WAITING, {"limit": limit})).all()
            if rows:
                moved = [dict(row._mapping) for row in rows]
                positions = [row.pop("position") for row in moved]
                await self._append(connection, moved)
                await connection.execute(_MOVED, {"positions": positions})
        return len(rows)

    async def append(self, messages: Sequence[EventMessage]) -> None:
        """Publish what belongs to no transaction."""
        async with self._database.begin() as connection:
            await self._lock(connection)
            await self._append(connection, [outbox.values(message) for message in messages])

    async def define(self, group: str, subscription: Subscription) -> None:
        """Make the group if it is not there; what it shall replay goes to it at once."""
        async with self._database.begin() as connection:
            await self._lock(connection)
            known = select(event_group.c.topic).where(event_group.c.name == group)
            topic = (await connection.execute(known)).scalar()
            if topic == subscription.topic:
                return
            changes = {"topic": subscription.topic, "ordered": subscription.ordered}
            if topic is not None:
                changed = event_group.update().where(event_group.c.name == group)
                await connection.execute(changed.values(changes))
                return
            created = insert(event_group).values(name=group, created_at=database_now(), **changes)
            await connection.execute(created)
            if subscription.start is not None:
                await self._backfill(connection, group, subscription.topic, subscription.start)

    async def read(self, after: int, limit: int) -> Sequence[tuple[int, EventMessage]]:
        """The events after that sequence, in order."""
        rows = await self._database.fetch(_AFTER, {"after": after, "limit": limit})
        return [(sequence, outbox.message(rest)) for sequence, *rest in rows]

    async def position(self, start: Start) -> int:
        """The sequence after which to read, to begin there."""
        if isinstance(start, int):
            return start - 1
        if start is None:
            query = select(func.max(_entry.sequence))
        else:
            query = select(func.min(_entry.sequence) - 1).where(_entry.logged_at >= start)
        found = (await self._database.fetch(query))[0][0]
        if found is None and start is not None:  # nothing so late: from now
            return await self.position(None)
        return int(found or 0)

    async def patterns(self) -> Sequence[str]:
        """What groups want to hear of."""
        return [row.topic for row in await self._database.fetch(_GROUPS)]

    async def lag(self) -> Mapping[str, int]:
        count = select(event_group.c.name, func.count(event_delivery.c.sequence)).select_from(
            event_group.outerjoin(event_delivery, event_group.c.name == event_delivery.c.group_name)
        )
        rows = await self._database.fetch(count.group_by(event_group.c.name))
        return {name: int(waiting) for name, waiting in rows}

    async def prune(self, age: timedelta, limit: int) -> int:
        """Forget what is older than that: a small batch; how many."""
        total = 0
        for table, key, at in (
            (event_log, _entry.sequence, _entry.logged_at),
            (event_inbox, event_inbox.c.event_id, event_inbox.c.handled_at),
        ):
            old = select(key).where(at < database_now(-age.total_seconds())).limit(limit)
            found = [row[0] for row in await self._database.fetch(old)]
            if found:
                async with self._database.begin() as connection:
                    aged = at < database_now(-age.total_seconds())
                    done = await connection.execute(delete(table).where(key.in_(found), aged))
                    total += int(done.rowcount)
        return total

    async def _append(self, connection: AsyncConnection, rows: list[dict[str, Any]]) -> None:
        """New entries in this order, and their deliveries. What is there already is left out."""
        new = (
            self._insert(event_log)
            .values(logged_at=database_now())
            .on_conflict_do_nothing()
            .returning(_entry.sequence, _entry.event_id)
        )
        found = await connection.execute(new, rows)
        placed = {row.sequence: row.event_id for row in found}
        by_id = {row["event_id"]: row for row in reversed(rows)}
        await self._deliver(connection, [(at, by_id[placed[at]]) for at in sorted(placed)])
        if self._database.is_postgresql and placed:
            await connection.execute(select(func.pg_notify(self._notify_channel, "")))

    async def _deliver(
        self, connection: AsyncConnection, entries: Sequence[tuple[int, dict[str, Any]]]
    ) -> None:
        groups = (await connection.execute(_GROUPS)).all()
        deliveries = [
            {"group_name": name, "sequence": sequence, **row}
            for name, topic in groups
            for sequence, row in entries
            if matches(topic, row["topic"])
        ]
        if deliveries:
            await connection.execute(_DELIVER, deliveries)

    async def _backfill(
        self, connection: AsyncConnection, group: str, topic: str, start: int | datetime
    ) -> None:
        since = _entry.sequence >= start if isinstance(start, int) else _entry.logged_at >= start
        query = select(_entry.sequence, *_COLUMNS).where(since).order_by(_entry.sequence)
        rows = (await connection.execute(query)).all()
        wanted = [
            {"group_name": group, **row._mapping} for row in rows if matches(topic, row.topic)
        ]
        for at in range(0, len(wanted), _BACKFILL):
            await connection.execute(_DELIVER, wanted[at : at + _BACKFILL])

    async def _lock(self, connection: AsyncConnection) -> None:
        """One at a time until the commit. On SQLite every writer is."""
        if self._database.is_postgresql:
            await connection.execute(_TURN)


_TURN = text(event_drain.TURN)
