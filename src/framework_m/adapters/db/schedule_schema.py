"""The tables of schedules: what became of their due times; and their records, as SQL sees them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, Integer, SmallInteger, String, Table, Text
from sqlalchemy import column as named
from sqlalchemy import table as seen

from framework_m.adapters.db.schema import ID, NAME, UtcDateTime, metadata

schedule_firing = Table(
    "schedule_firing",
    metadata,
    Column("schedule", NAME, primary_key=True),
    Column("due_at", UtcDateTime, primary_key=True),
    Column("fired_at", UtcDateTime, nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("job_id", ID),
    Column("count", Integer, nullable=False),
    Column("until", UtcDateTime),
    Column("detail", Text),
)
"""What became of due times. The job's own record tells how it goes on."""

schedule_declaration = Table(
    "schedule_declaration",
    metadata,
    Column("name", NAME, primary_key=True),
    # A hash of what is declared now, and a JSON list of those that it was before, the latest first.
    Column("definition", String(64), nullable=False),
    Column("superseded", Text, nullable=False),
    Column("declared_at", UtcDateTime, nullable=False),
)
"""What running processes declare in their code, and when one last said so."""

scheduled_job = seen(
    "scheduled_job",
    named("name", NAME),
    named("function", NAME),
    named("cron_expression", NAME),
    named("timezone", String(64)),
    named("args", Text),
    named("queue", String(64)),
    named("priority", SmallInteger),
    named("enabled", Boolean),
    named("overlap", Text),
    named("catch_up", Text),
    named("catch_up_window", Double),
    named("start_date", UtcDateTime()),
    named("end_date", UtcDateTime()),
    named("jitter", Double),
    named("description", Text),
    named("declared_in", NAME),
    named("next_run", UtcDateTime()),
    named("last_run", UtcDateTime()),
    named("last_job", ID),
    named("last_status", String(16)),
)
"""The columns of the ScheduledJob records that firing them asks for."""
