"""ReplayStore on SQLAlchemy Core."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, literal, select
from sqlalchemy.exc import IntegrityError

from framework_m.adapters.db.access_schema import job_replay
from framework_m.adapters.db.schema import database_now
from framework_m.core.errors import DatabaseUnavailableError, ReusedKeyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.db.unit_of_work import UnitsOfWork
    from framework_m.core.interfaces.replays import Asked

_REMEMBERED = 24 * 3600
_columns = job_replay.c
_expired = _columns.created_at < database_now(literal(-_REMEMBERED))


class DatabaseReplayStore:
    """Remembers requests in the table `job_replay`; see the port for its promises."""

    def __init__(self, database: Database, units: UnitsOfWork) -> None:
        self._database = database
        self._units = units

    async def once(self, asked: Asked, enqueue: Callable[[], Awaitable[str]]) -> str:
        found = await self._find(asked)
        if found is not None:
            return found
        try:
            return await self._remember(asked, enqueue)
        except IntegrityError as error:  # the same request was faster, and has committed
            found = await self._find(asked)
            if found is None:
                raise DatabaseUnavailableError("try again") from error
            return found

    async def _remember(self, asked: Asked, enqueue: Callable[[], Awaitable[str]]) -> str:
        mine = _columns.user_id == asked.user_id
        async with self._units() as unit:
            await unit.execute(delete(job_replay).where(mine, _expired))
            job_id = await enqueue()
            row = {"user_id": asked.user_id, "key": asked.key, "digest": asked.digest}
            await unit.execute(
                insert(job_replay).values(**row, job_id=str(job_id), created_at=database_now())
            )
        return job_id

    async def _find(self, asked: Asked) -> str | None:
        mine = (_columns.user_id == asked.user_id) & (_columns.key == asked.key)
        rows = await self._database.fetch(select(job_replay).where(mine, ~_expired))
        if not rows:
            return None
        if rows[0].digest != asked.digest:
            raise ReusedKeyError("this Idempotency-Key was used for another request")
        return str(rows[0].job_id)
