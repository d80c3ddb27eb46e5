"""ApiKey: the record of a key that was given out, and of a browser's session."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class ApiKey(BaseModel):
    """One key. Its secret part is not here: only a hash of that is stored. Times are in UTC."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="The public part of the key, by which it is found.")
    user_id: str
    roles: frozenset[str] = frozenset()
    note: str | None = Field(None, description="What it is for.")
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = Field(None, description="To the minute.")
    parent: str | None = Field(
        None, description="The key that a session was opened with: revoked with it."
    )
    is_session: bool = Field(False, description="Works as a cookie, and only as that.")

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
