"""What controls jobs: cancelling, retries as jobs of their own, unique keys, limits.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa

from alembic import op
from framework_m.adapters.db.schema import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = {
    "cancel_requested_at": UtcDateTime(),
    "retry_of": sa.String(36),
    "unique_lock": sa.String(255),
    "unique_until": UtcDateTime(),
    "unique_states": sa.SmallInteger(),
    "gates": sa.Text(),
}

_BLOCKED = "blocked_on IS NOT NULL"
_BLOCKED_IN_ORDER = ["blocked_on", "priority", "scheduled_at", "name"]


def upgrade() -> None:
    for name, kind in _COLUMNS.items():
        op.add_column("job_log", sa.Column(name, kind))
    _partial_index("uq_job_log_unique_lock", ["unique_lock"], "unique_lock IS NOT NULL", True)
    _partial_index(
        "ix_job_log_completed", ["queue", "completed_at"], "completed_at IS NOT NULL", False
    )
    # Who waits at a gate is let through in order.
    op.drop_index("ix_job_log_blocked", "job_log")
    _partial_index("ix_job_log_blocked", _BLOCKED_IN_ORDER, _BLOCKED, False)
    op.create_table(
        "job_rate",
        sa.Column("gate", sa.String(255), primary_key=True),
        sa.Column("free_at", UtcDateTime, nullable=False, index=True),
    )


def downgrade() -> None:
    op.drop_table("job_rate")
    op.drop_index("ix_job_log_blocked", "job_log")
    _partial_index("ix_job_log_blocked", ["blocked_on", "name"], _BLOCKED, False)
    op.drop_index("ix_job_log_completed", "job_log")
    op.drop_index("uq_job_log_unique_lock", "job_log")
    for name in _COLUMNS:
        op.drop_column("job_log", name)


def _partial_index(name: str, columns: list[str], where: str, unique: bool) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        "job_log",
        columns,
        unique=unique,
        postgresql_where=condition,
        sqlite_where=condition,
    )
