"""A wake-up call that cannot be missed."""

from __future__ import annotations

import asyncio
import contextlib


class Wakeup:
    """Wakes every waiter; a call between looking and waiting is not lost.

    seen = wakeup.calls
    if not look():
        await wakeup.wait_beyond(seen, timeout)
    """

    def __init__(self) -> None:
        self.calls = 0
        self._waiting: asyncio.Future[None] | None = None

    def call(self) -> None:
        self.calls += 1
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        self._waiting = None

    async def wait_beyond(self, seen: int, timeout: float) -> None:
        """Return once there were more calls than `seen`, or after so many seconds."""
        if self.calls != seen:
            return
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await asyncio.shield(self._waiting)
