"""The table of the workers' records."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from framework_m.adapters.db.schema import NAME, UtcDateTime, metadata

worker = Table(
    "worker",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("host", NAME, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("version", String(64), nullable=False),
    # A JSON list: a worker may serve more queues than fit any length.
    Column("queues", Text, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("memory_bytes", BigInteger),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("lost_at", UtcDateTime, nullable=False),
    Column("drain_requested_at", UtcDateTime),
)
