"""Rescue: bring back jobs whose worker died (invariant 3)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError

if TYPE_CHECKING:
    from datetime import timedelta

    from framework_m.core.interfaces.job_store import Claim, JobStore
    from framework_m.core.outbox.relay import Relay

logger = logging.getLogger(__name__)

_BATCH = 500
_SUSPECT_AFTER = 2


def is_suspect(claim: Claim) -> bool:
    """Whether this job is to run alone, so that there is no doubt if its worker dies again.

    Of the many jobs that a dead worker leaves, one at most is to blame, and as a rule none is:
    so each runs as usual once more. What was there both times is suspect.
    """
    return claim.rescues >= _SUSPECT_AFTER


class Rescuer:
    """Looks for lapsed leases.

    While the database is away nobody can renew a lease, and afterwards all of them have lapsed
    though their workers live. So after an outage it waits for one whole lease before it judges;
    and also after this process itself stood still. A job that blocks the event loop may do so
    while another task of the process has SQLite's one write lock, and then nobody renews either.
    """

    def __init__(
        self,
        store: JobStore,
        relay: Relay,
        *,
        lease: timedelta,
        interval: timedelta,
        max_rescues: int,
    ) -> None:
        """`interval`: how often it is asked to sweep.

        max_rescues: a job whose worker died that often while it ran alone is Failed.
        """
        self._max_rescues = max_rescues
        self._store = store
        self._relay = relay
        self._lease = lease.total_seconds()
        self._latest = interval.total_seconds() * 1.5 + self._lease / 4
        self._patience = lease / 4
        self._judge_from = 0.0
        self._swept_at = time.monotonic()

    async def sweep(self) -> int:
        """Rescue what has lapsed; how many jobs. Raises UnavailableError."""
        if time.monotonic() - self._swept_at > self._latest:
            self._wait_for_one_lease()
        try:
            total = 0 if time.monotonic() < self._judge_from else await self._rescue()
        except UnavailableError:
            self._wait_for_one_lease()
            raise
        finally:
            self._swept_at = time.monotonic()
        if total:
            logger.warning("rescued %d jobs whose worker had stopped renewing its lease", total)
        return total

    async def _rescue(self) -> int:
        total = 0
        while True:
            found = await self._store.rescue(
                _BATCH, patience=self._patience, max_rescues=self._max_rescues
            )
            if found.poison:
                logger.error("poison, not run again: %s", ", ".join(found.poison))
            if found.ready:
                await self._relay.publish(found.ready)
            total += len(found.ready)
            if not (found.ready or found.poison or found.cancelled):
                return total

    def _wait_for_one_lease(self) -> None:
        self._judge_from = time.monotonic() + self._lease
