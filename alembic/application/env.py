"""Runs and makes the application's own revisions, on the connection that
`framework_m.adapters.db.application_migrations` hands over.
"""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    transactional_ddl=True,
    **attributes["options"],
)
with context.begin_transaction():
    context.run_migrations()
