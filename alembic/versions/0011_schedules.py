"""Schedules: their records, what became of their due times, and which jobs are theirs.

Revision: 0011, after 0010.
"""

import sqlalchemy as sa

from alembic import op
from framework_m.adapters.db.schema import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OF_SCHEDULE = "schedule IS NOT NULL"
_INDEXES = {
    "ix_job_log_schedule": (["schedule", "enqueued_at", "name"], _OF_SCHEDULE),
    "ix_job_log_schedule_unfinished": (
        ["schedule"],
        f"{_OF_SCHEDULE} AND completed_at IS NULL",
    ),
}


def upgrade() -> None:
    op.create_table(
        "scheduled_job",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("owner", sa.String(255)),
        sa.Column("creation", UtcDateTime, nullable=False),
        sa.Column("modified", UtcDateTime, nullable=False),
        sa.Column("modified_by", sa.String(255)),
        sa.Column("version", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("docstatus", sa.Text, nullable=False, server_default=sa.text("'draft'")),
        sa.Column("function", sa.String(255), nullable=False),
        sa.Column("cron_expression", sa.String(255), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False, server_default=sa.text("'UTC'")),
        sa.Column("args", sa.Text, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("queue", sa.String(64)),
        sa.Column("priority", sa.BigInteger),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.text("true")),
        sa.Column("overlap", sa.Text, nullable=False, server_default=sa.text("'allow'")),
        sa.Column("catch_up", sa.Text, nullable=False, server_default=sa.text("'last'")),
        sa.Column("catch_up_window", sa.Double, nullable=False, server_default=sa.text("86400.0")),
        sa.Column("start_date", UtcDateTime),
        sa.Column("end_date", UtcDateTime),
        sa.Column("jitter", sa.Double, nullable=False, server_default=sa.text("0.0")),
        sa.Column("description", sa.String(1000)),
        sa.Column("declared_in", sa.String(255)),
        sa.Column("next_run", UtcDateTime),
        sa.Column("last_run", UtcDateTime),
        sa.Column("last_job", sa.String(36)),
        sa.Column("last_status", sa.Text),
        sa.PrimaryKeyConstraint("name", name="pk_scheduled_job"),
    )
    op.create_index("ix_scheduled_job_next_run", "scheduled_job", ["next_run"])
    op.create_index("ix_scheduled_job_last_status", "scheduled_job", ["last_status"])
    op.create_table(
        "schedule_declaration",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("definition", sa.String(64), nullable=False),
        sa.Column("superseded", sa.Text, nullable=False),
        sa.Column("declared_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "schedule_firing",
        sa.Column("schedule", sa.String(255), primary_key=True),
        sa.Column("due_at", UtcDateTime, primary_key=True),
        sa.Column("fired_at", UtcDateTime, nullable=False, index=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("job_id", sa.String(36)),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("until", UtcDateTime),
        sa.Column("detail", sa.Text),
    )
    op.add_column("job_log", sa.Column("due_at", UtcDateTime))
    for name, (columns, condition) in _INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "job_log", columns, postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, "job_log")
    op.drop_column("job_log", "due_at")
    op.drop_table("schedule_firing")
    op.drop_table("schedule_declaration")
    op.drop_table("scheduled_job")
