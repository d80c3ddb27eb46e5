"""Dead letters and the inbox: the DeadLetterStore and InboxStore ports."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from framework_m.adapters.db.event_schema import event_dead, event_inbox
from framework_m.adapters.db.schema import database_now
from framework_m.core.events.envelope import payload, unpacked
from framework_m.core.ids import uuid7
from framework_m.core.interfaces.event_store import DeadLetter
from framework_m.core.text import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_row = event_dead.c


class DeadLetters:
    """Keeps dead letters in the table `event_dead`, whatever the bus is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        async with self._database.begin() as connection:
            await connection.execute(NEW_LETTER, [insertion(letter) for letter in letters])

    async def list(
        self, *, group: str | None = None, limit: int = 50, before: str | None = None
    ) -> Sequence[DeadLetter]:
        query = select(event_dead).order_by(_row.id.desc()).limit(limit)
        if group is not None:
            query = query.where(_row.group_name == group)
        if before is not None:
            query = query.where(_row.id < before)
        return [_letter(row) for row in await self._database.fetch(query)]

    async def get(self, letter_id: str) -> DeadLetter | None:
        rows = await self._database.fetch(select(event_dead).where(_row.id == letter_id))
        return _letter(rows[0]) if rows else None

    async def delete(self, letter_id: str) -> bool:
        async with self._database.begin() as connection:
            done = await connection.execute(delete(event_dead).where(_row.id == letter_id))
        return bool(done.rowcount)


class EventInbox:
    """Remembers in the table `event_inbox`."""

    def __init__(self, database: Database) -> None:
        dialect = insert_postgresql if database.is_postgresql else insert_sqlite
        new = dialect(event_inbox).values(handled_at=database_now())
        self._mark = new.on_conflict_do_nothing()

    async def mark(self, unit: UnitOfWorkProtocol, group: str, event_id: str) -> bool:
        done = await unit.execute(self._mark, {"group_name": group, "event_id": event_id})
        return bool(done.rowcount)


NEW_LETTER = insert(event_dead).values(dead_at=database_now())


def insertion(letter: DeadLetter) -> dict[str, Any]:
    """The columns of a letter that died just now."""
    message = letter.message
    return {
        "id": uuid7(),
        "group_name": letter.group,
        "event_id": None if message is None else message.event_id,
        "topic": letter.topic,
        "ordering_key": None if message is None else message.key,
        "sequence": letter.sequence,
        "payload": None if message is None else payload(message),
        "raw": base64.b64encode(letter.raw).decode() if message is None else None,
        "headers": storable(json.dumps(dict(letter.headers))) if letter.headers else None,
        "error": storable(letter.error),
        "attempts": letter.attempts,
    }


def _letter(row: Any) -> DeadLetter:
    message = None
    if row.payload is not None:
        message = unpacked(row.event_id, row.topic, row.ordering_key, row.payload)
    return DeadLetter(
        group=row.group_name,
        topic=row.topic,
        error=row.error,
        attempts=row.attempts,
        message=message,
        raw=base64.b64decode(row.raw or ""),
        headers=json.loads(row.headers or "{}"),
        sequence=row.sequence,
        id=row.id,
        at=row.dead_at,
    )
