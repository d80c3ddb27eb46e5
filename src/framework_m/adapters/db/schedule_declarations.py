"""DatabaseScheduleDeclarations: the ScheduleDeclarations port."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from framework_m.adapters.db.schedule_schema import schedule_declaration, scheduled_job
from framework_m.adapters.db.schema import database_now, statement_now
from framework_m.core.interfaces.schedule_declarations import StoredDeclaration

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_row = schedule_declaration.c
_job = scheduled_job.c
_OFTEN_ENOUGH = 30.0
"""Seconds: of many processes that confirm, few write."""


class DatabaseScheduleDeclarations:
    """Rows of `schedule_declaration`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, *, fresh_for: timedelta) -> Mapping[str, StoredDeclaration]:
        is_fresh = _row.declared_at > statement_now(-fresh_for.total_seconds())
        columns = _row.name, _row.definition, _row.superseded, is_fresh.label("is_fresh")
        rows = await self._database.fetch(select(*columns))
        return {
            row.name: StoredDeclaration(
                row.definition, tuple(json.loads(row.superseded)), bool(row.is_fresh)
            )
            for row in rows
        }

    async def say(
        self, unit: UnitOfWorkProtocol, name: str, definition: str, superseded: Collection[str]
    ) -> None:
        insert = postgresql.insert if self._database.is_postgresql else sqlite.insert
        said = {
            "definition": definition,
            "superseded": json.dumps(list(superseded)),
            "declared_at": database_now(),
        }
        new = insert(schedule_declaration).values(name=name, **said)
        await unit.execute(new.on_conflict_do_update(index_elements=[_row.name], set_=said))

    async def confirm(self, names: Collection[str]) -> None:
        old = _row.name.in_(names), _row.declared_at < statement_now(-_OFTEN_ENOUGH)
        if not names or not await self._database.fetch(select(_row.name).where(*old).limit(1)):
            return
        async with self._database.begin() as connection:
            # In one order, so that processes which confirm the same do not wait for each other.
            free = select(_row.name).where(*old).order_by(_row.name).with_for_update()
            ours = (await connection.execute(free)).scalars().all()
            said = update(schedule_declaration).where(_row.name.in_(ours))
            await connection.execute(said.values(declared_at=database_now()))

    async def forget(self, unit: UnitOfWorkProtocol, name: str, *, fresh_for: timedelta) -> bool:
        is_old = _row.declared_at <= statement_now(-fresh_for.total_seconds())
        await unit.execute(delete(schedule_declaration).where(_row.name == name, is_old))
        left = await unit.execute(select(_row.name).where(_row.name == name))
        return left.first() is None

    async def release(self, unit: UnitOfWorkProtocol, name: str) -> None:
        released = update(scheduled_job).where(_job.name == name).values(declared_in=None)
        await unit.execute(released)

    async def revive(self, name: str, next_run: datetime) -> None:
        stopped = _job.name == name, _job.enabled, _job.next_run.is_(None)
        async with self._database.begin() as connection:
            again = update(scheduled_job).where(*stopped).values(next_run=next_run)
            await connection.execute(again)
