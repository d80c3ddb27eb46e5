"""The pace of a relay: what comes alone goes at once, what comes in a stream goes in batches."""

from __future__ import annotations

import asyncio
import time

from framework_m.core.outage import pause

_LULL = 0.0015
"""After so many seconds without a commit the next one is alone."""
_GATHER = 0.008
"""So many seconds a stream's batch gathers: it costs hardly more than one event does."""


class Pace:
    """Lets whoever commits one thing after another pay for few batches, and late by little."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._ended = -1.0

    async def gather(self) -> None:
        """Before a batch: wait for others, if the last one is only just over."""
        since = time.monotonic() - self._ended
        if since < _LULL:
            await pause(_GATHER - since, self._closing)

    def over(self) -> None:
        """After a batch."""
        self._ended = time.monotonic()

    def close(self) -> None:
        """Nobody waits any more."""
        self._closing.set()
