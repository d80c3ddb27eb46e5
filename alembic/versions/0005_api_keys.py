"""Keys that stand for a user, and the sessions of browsers.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa

from alembic import op
from framework_m.adapters.db.schema import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    parent = sa.ForeignKey("api_key.name", ondelete="CASCADE")
    op.create_table(
        "api_key",
        sa.Column("name", sa.String(36), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("note", sa.String(255)),
        sa.Column("parent", sa.String(36), parent),
        sa.Column("is_session", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("last_used_at", UtcDateTime),
    )
    op.create_index("ix_api_key_parent", "api_key", ["parent"])
    op.create_index("ix_api_key_expires_at", "api_key", ["is_session", "expires_at"])


def downgrade() -> None:
    op.drop_table("api_key")
