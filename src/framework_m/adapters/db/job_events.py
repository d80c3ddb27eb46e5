"""The events of jobs that ended: job.succeeded, job.failed, job.cancelled."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from sqlalchemy import bindparam, select

from framework_m.adapters.db.schema import job_log
from framework_m.core import clock
from framework_m.core.interfaces.event_bus import EventMessage
from framework_m.core.jobs.names import is_reserved
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from framework_m.adapters.db.event_outbox import EventOutbox
    from framework_m.core.interfaces.event_bus import EventBusProtocol
    from framework_m.core.outbox.event_relay import EventRelay

_row = job_log.c
_TYPES = {
    JobStatus.SUCCESS.value: "job.succeeded",
    JobStatus.FAILED.value: "job.failed",
    JobStatus.CANCELLED.value: "job.cancelled",
}
_LONGEST_ERROR = 2000
_ENDED = select(
    _row.name,
    _row.claim_no,
    _row.status,
    _row.job_name,
    _row.queue,
    _row.attempt,
    _row.error,
    _row.user_id,
    _row.trace_context,
).where(_row.name.in_(bindparam("job_ids", expanding=True)))


class JobEvents:
    """Publishes from the transaction in which jobs end: two statements for a batch of them.

    Nothing where nobody can hear of it, for it is work for every job.
    """

    def __init__(
        self, bus: EventBusProtocol, outbox: EventOutbox, relay: EventRelay, source: str
    ) -> None:
        self._bus = bus
        self._outbox = outbox
        self._relay = relay
        self._source = source

    async def wanted(self) -> bool:
        """Whether anybody can hear of it. Raises UnavailableError."""
        return await self._bus.hears(tuple(_TYPES.values()))

    async def append(
        self, connection: AsyncConnection, job_ids: Sequence[str]
    ) -> Callable[[], None]:
        """Write the events; what to call once the transaction has committed."""
        rows = (await connection.execute(_ENDED, {"job_ids": job_ids})).all()
        now = clock.now().isoformat().replace("+00:00", "Z")
        messages = [self._message(row, now) for row in rows if _is_told(row)]
        if not messages:
            return lambda: None
        placed = await self._outbox.append(connection, messages)
        return lambda: self._relay.publish(placed)

    def _message(self, row: Any, now: str) -> EventMessage:
        # By hand what the classes of core.events.jobs would do: this is done for every job.
        event_type = _TYPES[row.status]
        # Recorded twice, it is the same event.
        event_id = str(uuid.uuid5(_SPACE, f"{row.name}:{row.claim_no}:{row.status}"))
        attributes = {
            "id": event_id,
            "event_type": event_type,
            "timestamp": now,
            "source": self._source,
        }
        for name in ("user_id", "trace_context"):
            value = getattr(row, name)
            if value is not None:
                attributes[name] = value
        data = {
            "job_id": row.name,
            "job_name": row.job_name,
            "queue": row.queue,
            "attempt": row.attempt,
            "error": row.error and row.error[:_LONGEST_ERROR],
        }
        return EventMessage(event_id, event_type, None, attributes, to_json(data).decode())


def _is_told(row: Any) -> bool:
    """The framework's own jobs are nobody's news, and must not cause further ones."""
    return row.status in _TYPES and not is_reserved(row.job_name)


_SPACE = uuid.UUID("01a0b9f4-5c00-7000-8000-6672616d6577")
