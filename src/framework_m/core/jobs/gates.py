"""GateOpener: lets jobs through gates that nobody else opens.

As a rule who leaves a gate lets the next one in. A rate limit opens by itself, with time; and a
raised limit, or a job that was deleted while it ran, leaves room that nobody leaves.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError
from framework_m.core.outage import Outage

if TYPE_CHECKING:
    from framework_m.core.interfaces.job_store import JobStore
    from framework_m.core.outbox.relay import Relay

logger = logging.getLogger(__name__)


class GateOpener:
    """Looks every `interval` seconds, and when a rate has time again."""

    def __init__(self, store: JobStore, relay: Relay, interval: float) -> None:
        self._store = store
        self._relay = relay
        self._interval = interval

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, through outages and errors of any kind."""
        outage = Outage("gates")
        interrupted = asyncio.create_task(self._interrupt_on(stop))
        while not stop.is_set():
            seen = self._store.rates_closed.calls
            try:
                wait = await self.look()
            except UnavailableError as error:
                await outage.wait(error, stop)
                continue
            except Exception:
                logger.exception("opening gates failed; it goes on")
                wait = self._interval
            outage.over()
            await self._store.rates_closed.wait_beyond(seen, wait)
        await interrupted

    async def look(self) -> float:
        """Open what has room; how many seconds until the next look. Raises UnavailableError."""
        # Jittered, so that many processes do not look in step.
        wait = self._interval * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        after = ""
        while True:
            opened = await self._store.open_gates(after)
            if opened.ready:
                await self._relay.publish(opened.ready)
            if opened.wait is not None:
                wait = min(wait, opened.wait.total_seconds())
            after = opened.after
            if not after:
                return wait

    async def _interrupt_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._store.rates_closed.call()
