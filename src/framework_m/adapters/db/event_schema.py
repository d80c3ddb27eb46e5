"""Tables of events. The migrations in alembic/ create exactly these."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, false

from framework_m.adapters.db.schema import ID, NAME, UtcDateTime, metadata

# SQLite counts only INTEGER keys by itself; AUTOINCREMENT, so that no number comes twice.
_COUNTED = BigInteger().with_variant(Integer, "sqlite")

event_outbox = Table(
    "event_outbox",
    metadata,
    Column("position", _COUNTED, primary_key=True, autoincrement=True),
    Column("event_id", NAME, nullable=False),
    Column("topic", NAME, nullable=False),
    Column("ordering_key", Text),
    Column("payload", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
"""Committed, and not on the bus yet."""

_has_key = event_outbox.c.ordering_key.is_not(None)
Index(
    "ix_event_outbox_key",
    event_outbox.c.ordering_key,
    event_outbox.c.position,
    postgresql_where=_has_key,
    sqlite_where=_has_key,
)

event_log = Table(
    "event_log",
    metadata,
    Column("sequence", _COUNTED, primary_key=True, autoincrement=True),
    Column("event_id", NAME, nullable=False, unique=True),
    Column("topic", NAME, nullable=False),
    Column("ordering_key", Text),
    Column("payload", Text, nullable=False),
    Column("logged_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
"""The bus, where the database is it. Sequences are given under a lock that is kept until the
commit: whoever has read up to one misses none before it."""

Index("ix_event_log_logged_at", event_log.c.logged_at)

event_group = Table(
    "event_group",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("topic", NAME, nullable=False),
    Column("ordered", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("stream", NAME),
    Column("position", BigInteger),
    Column("reader", NAME),
    Column("reader_until", UtcDateTime),
)
"""Durable groups. One with a stream is filled from there, up to its position."""

event_delivery = Table(
    "event_delivery",
    metadata,
    Column("group_name", NAME, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", NAME, nullable=False),
    Column("topic", NAME, nullable=False),
    Column("ordering_key", Text),
    Column("payload", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("claim_no", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
)
"""What a group has still to handle."""

Index(
    "ix_event_delivery_key",
    event_delivery.c.group_name,
    event_delivery.c.ordering_key,
    event_delivery.c.sequence,
)

event_dead = Table(
    "event_dead",
    metadata,
    Column("id", ID, primary_key=True),
    Column("group_name", NAME, nullable=False),
    Column("event_id", NAME),
    Column("topic", NAME, nullable=False),
    Column("ordering_key", Text),
    Column("sequence", BigInteger),
    Column("payload", Text),
    Column("raw", Text),
    Column("headers", Text),
    Column("error", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("dead_at", UtcDateTime, nullable=False),
)
"""What a group could not handle; without a payload, in base64, what could not be read."""

Index("ix_event_dead_group", event_dead.c.group_name, event_dead.c.id)

event_inbox = Table(
    "event_inbox",
    metadata,
    Column("group_name", NAME, primary_key=True),
    Column("event_id", NAME, primary_key=True),
    Column("handled_at", UtcDateTime, nullable=False),
)
"""What groups with `exactly_once` have handled."""

Index("ix_event_inbox_handled_at", event_inbox.c.handled_at)
