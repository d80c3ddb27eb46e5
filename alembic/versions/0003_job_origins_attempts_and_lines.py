"""Where a job comes from, what it waits for, how its attempts went and what it said.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa

from alembic import op
from framework_m.adapters.db.schema import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WAITING = "status IN ('Queued', 'Scheduled', 'Retrying')"
_OPEN = f"{_WAITING} AND blocked_on IS NULL"
_BLOCKED = "blocked_on IS NOT NULL"
_DUE = ["queue", "priority", "scheduled_at", "name"]
_TEXTS = ("user_roles", "tags", "trace_context")
_NAMES = ("unique_key", "schedule", "correlation_id", "blocked_on")


def upgrade() -> None:
    for name in _TEXTS:
        op.add_column("job_log", sa.Column(name, sa.Text))
    for name in _NAMES:
        op.add_column("job_log", sa.Column(name, sa.String(255)))
    op.add_column(
        "job_log", sa.Column("is_alone", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column(
        "job_log", sa.Column("crashes", sa.Integer, nullable=False, server_default=sa.text("0"))
    )
    # What is blocked must not lie in the way of a claim.
    op.drop_index("ix_job_log_due", "job_log")
    _partial_index("ix_job_log_due", _DUE, _OPEN)
    _partial_index("ix_job_log_blocked", ["blocked_on", "name"], _BLOCKED)
    op.create_table(
        "job_attempt",
        _job_id(),
        sa.Column("claim_no", sa.Integer, primary_key=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(255)),
        sa.Column("started_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("traceback", sa.Text),
    )
    op.create_table(
        "job_line",
        _job_id(),
        sa.Column("claim_no", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("logger", sa.Text),
        sa.Column("message", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("job_line")
    op.drop_table("job_attempt")
    op.drop_index("ix_job_log_blocked", "job_log")
    op.drop_index("ix_job_log_due", "job_log")
    for name in (*_TEXTS, *_NAMES, "is_alone", "crashes"):
        op.drop_column("job_log", name)
    _partial_index("ix_job_log_due", _DUE, _WAITING)


def _job_id() -> sa.Column[str]:
    job = sa.ForeignKey("job_log.name", ondelete="CASCADE")
    return sa.Column("job_id", sa.String(36), job, primary_key=True)


def _partial_index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "job_log", columns, postgresql_where=condition, sqlite_where=condition)
