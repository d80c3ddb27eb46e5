"""ReplayStore on SQLAlchemy Core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, literal, select, tuple_
from sqlalchemy.exc import IntegrityError

from framework_m.adapters.db.access_schema import job_replay
from framework_m.adapters.db.schema import database_now
from framework_m.core.errors import DatabaseUnavailableError, ReusedKeyError
from framework_m.core.interfaces.replays import Asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import ColumnElement

    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.db.unit_of_work import UnitsOfWork

_REMEMBERED = 24 * 3600
_columns = job_replay.c
_place = tuple_(_columns.user_id, _columns.key)
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

    async def forget_expired(
        self, limit: int, *, after: Asked | None = None
    ) -> tuple[int, Asked | None]:
        columns = (_columns.user_id, _columns.key, _columns.digest)
        query = select(*columns, _expired.label("is_expired")).order_by(*columns[:2]).limit(limit)
        if after is not None:
            query = query.where(_place > _place_of(after))
        rows = await self._database.fetch(query)
        if not rows:
            return 0, None
        last = Asked(*rows[-1][:3])
        expired = [Asked(*row[:3]) for row in rows if row.is_expired]
        removed = await self._forget(expired[0], expired[-1]) if expired else 0
        return removed, last if len(rows) == limit else None

    async def _forget(self, first: Asked, last: Asked) -> int:
        """Those of this stretch of the primary key that have expired."""
        stretch = and_(_place >= _place_of(first), _place <= _place_of(last))
        # Past rows that somebody holds: two who each wait for the other's would be a deadlock.
        free = (
            select(_columns.user_id, _columns.key)
            .where(stretch, _expired)
            .with_for_update(skip_locked=True)
        )
        async with self._database.begin() as connection:
            return int(
                (await connection.execute(delete(job_replay).where(_place.in_(free)))).rowcount
            )

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


def _place_of(asked: Asked) -> ColumnElement[Any]:
    return tuple_(literal(asked.user_id), literal(asked.key))
