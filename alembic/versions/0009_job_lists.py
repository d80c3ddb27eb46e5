"""Jobs are listed newest first by any filter, tags among them, and found by what they retry.

Revision: 0009, after 0008.
"""

import json

import sqlalchemy as sa

from alembic import op
from framework_m.adapters.db.schema import UtcDateTime
from framework_m.core.text import storable

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NEWEST = ["enqueued_at", "name"]
_LISTS = {
    "ix_job_log_enqueued": (_NEWEST, None),
    "ix_job_log_status": (["status", *_NEWEST], None),
    "ix_job_log_job_name": (["job_name", *_NEWEST], None),
    "ix_job_log_queue": (["queue", *_NEWEST], None),
    "ix_job_log_user": (["user_id", *_NEWEST], "user_id IS NOT NULL"),
    "ix_job_log_parent": (["parent_id", *_NEWEST], "parent_id IS NOT NULL"),
    "ix_job_log_correlation": (["correlation_id", *_NEWEST], "correlation_id != name"),
    "ix_job_log_retry_of": (["retry_of"], "retry_of IS NOT NULL"),
}
_BY_ID = {"ix_job_log_status": ["status", "name"], "ix_job_log_job_name": ["job_name", "name"]}
_AT_ONCE = 1000

_job = sa.table(
    "job_log",
    sa.column("name", sa.String),
    sa.column("tags", sa.Text),
    sa.column("enqueued_at", UtcDateTime()),
)


def upgrade() -> None:
    for name in _BY_ID:
        op.drop_index(name, "job_log")
    for name, (columns, condition) in _LISTS.items():
        where = None if condition is None else sa.text(condition)
        op.create_index(name, "job_log", columns, postgresql_where=where, sqlite_where=where)
    tags = op.create_table(
        "job_tag",
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("enqueued_at", UtcDateTime, primary_key=True),
        sa.Column(
            "job_id",
            sa.String(36),
            sa.ForeignKey("job_log.name", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
    )
    _carry_over(tags)


def downgrade() -> None:
    op.drop_table("job_tag")
    for name in _LISTS:
        op.drop_index(name, "job_log")
    for name, columns in _BY_ID.items():
        op.create_index(name, "job_log", columns)


def _carry_over(tags: sa.Table) -> None:
    """The tags of jobs that are there, in the order of ids, some at a time."""
    connection = op.get_bind()
    tagged = sa.select(_job).where(_job.c.tags.is_not(None)).order_by(_job.c.name).limit(_AT_ONCE)
    last = ""
    while jobs := connection.execute(tagged.where(_job.c.name > last)).all():
        rows = [
            {"tag": tag, "enqueued_at": job.enqueued_at, "job_id": job.name}
            for job in jobs
            for tag in sorted({storable(tag) for tag in json.loads(job.tags)})
        ]
        if rows:
            connection.execute(sa.insert(tags), rows)
        last = jobs[-1].name
