"""Db: SQLAlchemy and Alembic.

Owns: engines, tables, units of work, JobLogStore, migrations, notifications.
May import: core, sqlalchemy, alembic and the database drivers.
Must not touch: queues, web, command line.
Invariants: 1 (one transaction), 2 (fenced writes; leases by database time), 14 (migrations).
"""
