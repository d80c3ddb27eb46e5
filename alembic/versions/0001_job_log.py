"""The job log.

Revision: 0001, after nothing. Columns are spelled out, not taken from the code: a revision must
stay what it was when the code moves on.
"""

import sqlalchemy as sa

from alembic import op
from framework_m.adapters.db.schema import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_WAITING = sa.text("status IN ('Queued', 'Scheduled', 'Retrying')")
_RUNNING = sa.text("status = 'Running'")


def upgrade() -> None:
    op.create_table(
        "job_log",
        sa.Column("name", sa.String(36), primary_key=True),
        sa.Column("job_name", sa.String(255), nullable=False),
        sa.Column("queue", sa.String(64), nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("args", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("traceback", sa.Text),
        sa.Column("enqueued_at", UtcDateTime, nullable=False),
        sa.Column("scheduled_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("completed_at", UtcDateTime),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("worker", sa.String(255)),
        sa.Column("parent_id", sa.String(36)),
        sa.Column("progress", sa.Double),
        sa.Column("progress_message", sa.Text),
        sa.Column("claim_no", sa.Integer, nullable=False),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("rescues", sa.Integer, nullable=False),
        sa.Column("dispatched_at", UtcDateTime),
    )
    due = ["queue", "priority", "scheduled_at", "name"]
    _partial_index("ix_job_log_due", due, _WAITING)
    _partial_index("ix_job_log_lease", ["lease_until"], _RUNNING)
    op.create_index("ix_job_log_status", "job_log", ["status", "name"])
    op.create_index("ix_job_log_job_name", "job_log", ["job_name", "name"])


def downgrade() -> None:
    op.drop_table("job_log")


def _partial_index(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, "job_log", columns, postgresql_where=where, sqlite_where=where)
