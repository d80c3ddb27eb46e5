"""Events: outbox, log, groups and what they have to handle, dead letters, inbox.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa

from alembic import op
from framework_m.adapters.db.schema import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NAME = sa.String(255)


def upgrade() -> None:
    _outbox()
    _log()
    _groups()
    _dead()
    op.create_table(
        "event_inbox",
        sa.Column("group_name", _NAME, primary_key=True),
        sa.Column("event_id", _NAME, primary_key=True),
        sa.Column("handled_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_event_inbox_handled_at", "event_inbox", ["handled_at"])


def downgrade() -> None:
    for table in ("inbox", "dead", "delivery", "group", "log", "outbox"):
        op.drop_table(f"event_{table}")


def _outbox() -> None:
    op.create_table(
        "event_outbox",
        sa.Column("position", _COUNTED, primary_key=True, autoincrement=True),
        *_event(),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    has_key = sa.text("ordering_key IS NOT NULL")
    op.create_index(
        "ix_event_outbox_key",
        "event_outbox",
        ["ordering_key", "position"],
        postgresql_where=has_key,
        sqlite_where=has_key,
    )


def _log() -> None:
    op.create_table(
        "event_log",
        sa.Column("sequence", _COUNTED, primary_key=True, autoincrement=True),
        *_event(),
        sa.Column("logged_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_log_logged_at", "event_log", ["logged_at"])


def _groups() -> None:
    op.create_table(
        "event_group",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("topic", _NAME, nullable=False),
        sa.Column("ordered", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("stream", _NAME),
        sa.Column("position", sa.BigInteger),
        sa.Column("reader", _NAME),
        sa.Column("reader_until", UtcDateTime),
    )
    op.create_table(
        "event_delivery",
        sa.Column("group_name", _NAME, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        *_event(),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("claim_no", sa.Integer, nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index(
        "ix_event_delivery_key", "event_delivery", ["group_name", "ordering_key", "sequence"]
    )


def _dead() -> None:
    op.create_table(
        "event_dead",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("group_name", _NAME, nullable=False),
        sa.Column("event_id", _NAME),
        sa.Column("topic", _NAME, nullable=False),
        sa.Column("ordering_key", sa.Text),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("payload", sa.Text),
        sa.Column("raw", sa.Text),
        sa.Column("headers", sa.Text),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("dead_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_event_dead_group", "event_dead", ["group_name", "id"])


def _event() -> list[sa.Column[str]]:
    return [
        sa.Column("event_id", _NAME, nullable=False),
        sa.Column("topic", _NAME, nullable=False),
        sa.Column("ordering_key", sa.Text),
        sa.Column("payload", sa.Text, nullable=False),
    ]
