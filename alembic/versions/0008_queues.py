"""The record that pauses and limits a queue.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa

from alembic import op
from framework_m.adapters.db.schema import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_queue",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(255)),
        sa.Column("creation", UtcDateTime, nullable=False),
        sa.Column("modified", UtcDateTime, nullable=False),
        sa.Column("modified_by", sa.String(255)),
        sa.Column("version", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("docstatus", sa.Text, nullable=False, server_default=sa.text("'draft'")),
        sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("concurrency", sa.BigInteger),
        sa.Column("description", sa.String(1000)),
        sa.PrimaryKeyConstraint("name", name="pk_job_queue"),
    )
    op.create_index("ix_job_queue_paused", "job_queue", ["paused"])


def downgrade() -> None:
    op.drop_table("job_queue")
