"""Parking: jobs whose function no worker knows wait, and run when one does.

Between deploys that is normal: new code enqueues what old workers do not know yet.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework_m.core.interfaces.job_store import JobStore
    from framework_m.core.jobs.registry import JobRegistry
    from framework_m.core.outbox.relay import Relay

logger = logging.getLogger(__name__)

_BATCH = 500
_PARKED_FOR = timedelta(seconds=10)
"""While workers of both deploys run, an old one may claim it again: not all the time."""


_PREFIX = "function:"


def gate_of(job_name: str) -> str:
    """What a parked job is blocked on."""
    return f"{_PREFIX}{job_name}"


def is_parking(gate: str) -> bool:
    """Whether a gate is one of these."""
    return gate.startswith(_PREFIX)


class Unparker:
    """Brings back what others parked, once a worker starts that knows the function."""

    def __init__(self, store: JobStore, relay: Relay, registry: JobRegistry) -> None:
        self._store = store
        self._relay = relay
        self._gates = [gate_of(job.name) for job in registry]
        self._older_than = timedelta()

    async def sweep(self) -> int:
        """Make ready what this worker knows; how many. Raises UnavailableError."""
        total = 0
        while jobs := await self._store.unblock(self._gates, _BATCH, older_than=self._older_than):
            await self._relay.publish(jobs)
            total += len(jobs)
        self._older_than = _PARKED_FOR
        if total:
            logger.info("%d jobs that nobody knew are ready to run", total)
        return total
