"""Rescue: bring back jobs whose worker died (invariant 3)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError

if TYPE_CHECKING:
    from datetime import timedelta

    from framework_m.core.interfaces.job_store import JobStore
    from framework_m.core.outbox.relay import Relay

logger = logging.getLogger(__name__)

_BATCH = 500


class Rescuer:
    """Looks for lapsed leases.

    While the database is away nobody can renew a lease, and afterwards all of them have lapsed
    though their workers live. So after an outage it waits for one whole lease before it judges.
    """

    def __init__(self, store: JobStore, relay: Relay, lease: timedelta) -> None:
        self._store = store
        self._relay = relay
        self._lease = lease.total_seconds()
        self._judge_from = 0.0

    async def sweep(self) -> int:
        """Rescue what has lapsed; how many jobs. Raises UnavailableError."""
        if time.monotonic() < self._judge_from:
            return 0
        total = 0
        try:
            while jobs := await self._store.rescue(_BATCH):
                await self._relay.publish(jobs)
                total += len(jobs)
        except UnavailableError:
            self._judge_from = time.monotonic() + self._lease
            raise
        if total:
            logger.warning("rescued %d jobs whose worker had stopped renewing its lease", total)
        return total
