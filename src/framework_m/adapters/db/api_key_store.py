"""ApiKeyStore on SQLAlchemy Core."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from framework_m.adapters.db.access_schema import api_key
from framework_m.core.doctypes.api_key import ApiKey
from framework_m.core.interfaces.access import StoredKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from framework_m.adapters.db.engine import Database

_columns = api_key.c
_parent = api_key.alias("parent")
_revoked_at = func.coalesce(_columns.revoked_at, _parent.c.revoked_at).label("revoked_at")
_records = select(
    *(column for column in api_key.c if column.name != "revoked_at"), _revoked_at
).select_from(api_key.outerjoin(_parent, _parent.c.name == _columns.parent))


class DatabaseApiKeyStore:
    """Keeps keys in the table `api_key`; see the port for its promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: StoredKey) -> None:
        row = {**key.record.model_dump(), "digest": key.digest}
        row["roles"] = json.dumps(sorted(key.record.roles))
        async with self._database.begin() as connection:
            await connection.execute(insert(api_key).values(row))

    async def find(self, name: str) -> StoredKey | None:
        rows = await self._database.fetch(_records.where(_columns.name == name))
        return StoredKey(_record(rows[0]), rows[0].digest) if rows else None

    async def list(self) -> Sequence[ApiKey]:
        keys = _records.where(_columns.is_session.is_(False))
        newest_first = keys.order_by(_columns.created_at.desc(), _columns.name)
        return [_record(row) for row in await self._database.fetch(newest_first)]

    async def revoke(self, name: str, at: datetime) -> bool:
        mine = or_(_columns.name == name, _columns.parent == name)
        async with self._database.begin() as connection:
            await connection.execute(
                update(api_key).where(mine, _columns.revoked_at.is_(None)).values(revoked_at=at)
            )
            found = await connection.execute(select(_columns.name).where(_columns.name == name))
            return found.first() is not None

    async def note_use(self, name: str, at: datetime, every: timedelta) -> None:
        is_due = or_(_columns.last_used_at.is_(None), _columns.last_used_at <= at - every)
        async with self._database.begin() as connection:
            await connection.execute(
                update(api_key).where(_columns.name == name, is_due).values(last_used_at=at)
            )

    async def forget_sessions(self, expired_before: datetime) -> None:
        expired = _columns.expires_at < expired_before
        async with self._database.begin() as connection:
            await connection.execute(delete(api_key).where(_columns.is_session.is_(True), expired))


def _record(row: Any) -> ApiKey:
    kept = {name: getattr(row, name) for name in ApiKey.model_fields}
    return ApiKey.model_validate({**kept, "roles": json.loads(row.roles)})
