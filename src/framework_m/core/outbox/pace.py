"""The pace of a relay: what comes alone goes at once, what comes in a stream goes in batches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from framework_m.core.outage import pause

if TYPE_CHECKING:
    from collections.abc import Iterator

_LULL = 0.0015
"""After so many seconds without a commit the next one is alone."""
_SHARE = 15
_SHORTEST_GATHER, _LONGEST_GATHER = 0.008, 0.05
"""Seconds between a stream's batches: so many that the relay takes a sixteenth of the time, as far
as that makes nothing late. A batch costs hardly more than one event does."""


class Pace:
    """Lets whoever commits one thing after another pay for few batches, and late by little."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._ended = -1.0
        self._took = 0.0

    async def gather(self) -> None:
        """Before a batch: wait for others, if the last one is only just over."""
        since = time.monotonic() - self._ended
        if since < _LULL:
            wait = min(_LONGEST_GATHER, max(_SHORTEST_GATHER, _SHARE * self._took))
            await pause(wait - since, self._closing)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Around the work on one."""
        began = time.monotonic()
        yield
        self._ended = time.monotonic()
        self._took = self._ended - began

    def close(self) -> None:
        """Nobody waits any more."""
        self._closing.set()
