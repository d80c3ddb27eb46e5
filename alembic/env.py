"""Runs the revisions on the connection that `framework_m.adapters.db.migrations` hands over."""

from alembic import context
from framework_m.adapters.db.migrations import VERSION_TABLE
from framework_m.adapters.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    # One transaction for everything, the caller's: half a migration is never seen.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
