"""The outbox becomes the log: on PostgreSQL one statement past SQLAlchemy.

It is run for every event, or every few: one after another, its parts take longer in the program
than in the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.adapters.db import postgresql

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

TURN = "SELECT pg_advisory_xact_lock(hashtext('framework_m_events'), hashtext(current_schema()))"
"""One at a time until the commit: whoever moves events, or changes groups."""

# A topic is words of letters, digits, _ and -, so that only its dots mean something in a regular
# expression. The order of the replacements matters: each brings in what an earlier one replaced.
# Most patterns have no wildcards, and PostgreSQL keeps few compiled expressions.
IS_HEARD = r"""
    CASE WHEN {pattern} ~ '[*>]' THEN {topic} ~ ('^(' || replace(replace(replace(
        {pattern}, '.', '\.'), '*', '[^.]+'), '>', '[^.]+(\.[^.]+)*') || ')$')
    ELSE {topic} = {pattern} END"""
"""core.events.topics.matches, in PostgreSQL's words."""

# Sequences are given in the order of the SELECT. What is there already, also from earlier in the
# same batch, is left out, and so are its deliveries.
_MOVE = f"""
WITH moved AS (
    DELETE FROM event_outbox
    WHERE position IN (SELECT position FROM event_outbox ORDER BY position LIMIT $1)
    RETURNING position, event_id, topic, ordering_key, payload
), logged AS (
    INSERT INTO event_log (event_id, topic, ordering_key, payload, logged_at)
    SELECT event_id, topic, ordering_key, payload, clock_timestamp() FROM moved ORDER BY position
    ON CONFLICT DO NOTHING
    RETURNING sequence, event_id, topic, ordering_key, payload
), delivered AS (
    INSERT INTO event_delivery (group_name, sequence, event_id, topic, ordering_key, payload,
        attempt, claim_no, due_at, created_at)
    SELECT g.name, l.sequence, l.event_id, l.topic, l.ordering_key, l.payload,
        0, 0, clock_timestamp(), clock_timestamp()
    FROM logged l JOIN event_group g
        ON g.stream IS NULL AND {IS_HEARD.format(topic="l.topic", pattern="g.topic")}
)
SELECT (SELECT count(*) FROM moved),
    (SELECT pg_notify($2, '') FROM (SELECT 1 FROM logged LIMIT 1) AS any_of_them)
"""  # noqa: S608 - of constants


async def drain(connection: AsyncConnection, limit: int, notify_channel: str) -> int:
    """Move the oldest rows, and tell the groups' processes; how many rows. Its own transaction."""
    async with postgresql.transaction(connection) as driver:
        # A statement of its own: the next one has to see what was committed while this waited.
        await driver.execute(TURN)
        return int(await driver.fetchval(_MOVE, limit, notify_channel))
