"""DatabaseQueueStore: the QueueStore port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework_m.adapters.db import queue_sql as sql
from framework_m.core.interfaces.queue_store import QueueCounts, QueueRule

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from framework_m.adapters.db.engine import Database


class DatabaseQueueStore:
    """Reads `job_queue`, and counts the rows of `job_log`.

    reserved: connections for the rules, which jobs and requests cannot use up.
    """

    def __init__(self, database: Database, reserved: Database) -> None:
        self._database = database
        self._reserved = reserved

    async def rules(self) -> Sequence[QueueRule]:
        return [QueueRule(*row) for row in await self._reserved.fetch(sql.RULES)]

    async def counts(
        self, queues: Collection[str], *, only: bool = False
    ) -> Mapping[str, QueueCounts]:
        found: dict[str, dict[str, Any]] = {}
        asked = queues if only else None
        for queue, due, later, oldest, now in await self._database.fetch(sql.waiting(asked)):
            age = None if oldest is None else now - oldest
            found[queue] = {"waiting": due, "scheduled": later, "oldest_waiting": age}
        for name, statement in (("blocked", sql.blocked), ("running", sql.running)):
            for queue, count in await self._database.fetch(statement(asked)):
                found.setdefault(queue, {})[name] = count
        ended = sql.ended({*queues, *found})
        for queue, count, failed in await self._database.fetch(ended):
            found.setdefault(queue, {}).update(finished=count, failed=failed)
        return {queue: QueueCounts(**counted) for queue, counted in found.items()}
