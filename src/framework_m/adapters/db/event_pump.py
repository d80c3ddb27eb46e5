"""PumpedGroups: groups of the database whose events come from a stream elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from framework_m.adapters.db import event_outbox as outbox
from framework_m.adapters.db.event_letters import NEW_LETTER, insertion
from framework_m.adapters.db.event_schema import event_delivery, event_group
from framework_m.adapters.db.schema import database_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.event_bus import EventMessage
    from framework_m.core.interfaces.event_store import DeadLetter

_row = event_group.c
_STRIDE = 1 << 40
"""Sequences of a stream that was made anew begin anew: here they go on, a stride higher."""


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a stream has been copied, and which stream that was."""

    after: int
    stream: str


class PumpedGroups:
    """The place of each group, and who copies. Raises UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = insert_postgresql if database.is_postgresql else insert_sqlite

    async def define(self, group: str, topic: str, stream: str, after: int) -> None:
        """Make the group if it is not there."""
        new = self._insert(event_group).values(
            name=group,
            topic=topic,
            ordered=True,
            created_at=database_now(),
            stream=stream,
            position=after,
        )
        async with self._database.begin() as connection:
            await connection.execute(new.on_conflict_do_nothing())

    async def place(self, group: str) -> Place | None:
        rows = await self._database.fetch(
            select(_row.position, _row.stream).where(_row.name == group, _row.stream.is_not(None))
        )
        return Place(int(rows[0][0]), str(rows[0][1])) if rows else None

    async def hold(self, group: str, who: str, lease: float) -> Place | None:
        """Be the one who copies, for so many seconds; None while another one is."""
        free = or_(_row.reader.is_(None), _row.reader == who, _row.reader_until < database_now())
        held = (
            update(event_group)
            .where(_row.name == group, free)
            .values(reader=who, reader_until=database_now(lease))
            .returning(_row.position, _row.stream)
        )
        async with self._database.begin() as connection:
            found = (await connection.execute(held)).first()
        return None if found is None else Place(int(found[0]), str(found[1]))

    async def let_go(self, group: str, who: str) -> None:
        async with self._database.begin() as connection:
            free = update(event_group).where(_row.name == group, _row.reader == who)
            await connection.execute(free.values(reader=None, reader_until=None))

    async def copy(
        self,
        group: str,
        who: str,
        old: Place,
        new: Place,
        rows: Sequence[tuple[int, EventMessage]],
        letters: Sequence[DeadLetter],
        *,
        lease: float,
    ) -> bool:
        """Add rows and move the place on, both or neither; False if it is not `old` any more."""
        fenced = (
            update(event_group)
            .where(_row.name == group, _row.reader == who)
            .where(_row.position == old.after, _row.stream == old.stream)
            .values(position=new.after, stream=new.stream, reader_until=database_now(lease))
        )
        async with self._database.begin() as connection:
            if not (await connection.execute(fenced)).rowcount:
                return False
            if rows:
                base = await self._base(connection, group, rows[0][0])
                await connection.execute(
                    _NEW,
                    [
                        {"group_name": group, "sequence": base + at, **outbox.values(message)}
                        for at, message in rows
                    ],
                )
            if letters:
                await connection.execute(NEW_LETTER, [insertion(letter) for letter in letters])
        return True

    async def lag(self) -> Mapping[str, int]:
        waiting = select(event_group.c.name, func.count(event_delivery.c.sequence)).select_from(
            event_group.outerjoin(event_delivery, _row.name == event_delivery.c.group_name)
        )
        pumped = waiting.where(_row.stream.is_not(None)).group_by(_row.name)
        return {name: int(count) for name, count in await self._database.fetch(pumped)}

    async def forget(self, group: str) -> None:
        """The group and what waits in it are gone."""
        async with self._database.begin() as connection:
            gone = delete(event_delivery).where(event_delivery.c.group_name == group)
            await connection.execute(gone)
            await connection.execute(delete(event_group).where(_row.name == group))

    async def _base(self, connection: AsyncConnection, group: str, first: int) -> int:
        """0, unless rows of an earlier stream of this name wait that must go before these."""
        last = select(func.max(event_delivery.c.sequence)).where(
            event_delivery.c.group_name == group
        )
        highest = (await connection.execute(last)).scalar() or 0
        return 0 if highest < first else (highest // _STRIDE + 1) * _STRIDE


_NEW = insert(event_delivery).values(
    attempt=0, claim_no=0, due_at=database_now(), created_at=database_now()
)
