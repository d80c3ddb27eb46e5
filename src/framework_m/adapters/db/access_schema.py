"""Tables of what belongs to access: keys that were given out, requests that may come again."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table, Text, false

from framework_m.adapters.db.schema import ID, NAME, UtcDateTime, metadata

api_key = Table(
    "api_key",
    metadata,
    Column("name", ID, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("user_id", NAME, nullable=False),
    Column("roles", Text, nullable=False),
    Column("note", NAME),
    Column("parent", ID, ForeignKey("api_key.name", ondelete="CASCADE")),
    Column("is_session", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
)
Index("ix_api_key_parent", api_key.c.parent)
Index("ix_api_key_expires_at", api_key.c.is_session, api_key.c.expires_at)

job_replay = Table(
    "job_replay",
    metadata,
    Column("user_id", NAME, primary_key=True),
    Column("key", NAME, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("job_id", ID, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
"""Which job a request with an Idempotency-Key has led to."""
