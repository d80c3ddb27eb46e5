"""Outages: say once that a server is away and once that it is back, and wait between tries."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from framework_m.core.wakeup import Wakeup

logger = logging.getLogger(__name__)

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0


class Outage:
    """One caller's view of a server that comes and goes."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._failures = 0
        self.ended_at: float | None = None
        """Monotonic time of the end of the last outage; None if there was none."""

    @property
    def is_on(self) -> bool:
        return self._failures > 0

    def over(self) -> None:
        """The server answered."""
        if self._failures:
            logger.warning("%s: available again", self._who)
            self.ended_at = time.monotonic()
        self._failures = 0

    async def wait(self, error: Exception, stop: asyncio.Event) -> None:
        """The server did not answer: wait before the next try, longer each time, or until stop."""
        if not self._failures:
            logger.warning("%s: %s; trying again until it is", self._who, error)
        self._failures += 1
        ceiling = min(_LONGEST_WAIT, _FIRST_WAIT * 2**self._failures)
        await pause(random.uniform(ceiling / 2, ceiling), stop)  # noqa: S311 - jitter


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Wait that long, or until stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def looking(
    look: Callable[[], Awaitable[float]], wakeup: Wakeup, stop: asyncio.Event, *, who: str
) -> None:
    """Look until stop, through outages and errors of any kind.

    look: returns how many seconds to wait before the next look; a call of `wakeup` ends the wait.
    """
    outage = Outage(who)
    interrupting = asyncio.create_task(_call_on(stop, wakeup), name=f"{who}: stop")
    while not stop.is_set():
        seen = wakeup.calls
        try:
            wait = await look()
        except UnavailableError as error:
            await outage.wait(error, stop)
            continue
        except Exception as error:
            logger.exception("%s failed; it goes on", who)
            await outage.wait(error, stop)
            continue
        outage.over()
        await wakeup.wait_beyond(seen, wait)
    await interrupting


async def _call_on(stop: asyncio.Event, wakeup: Wakeup) -> None:
    await stop.wait()
    wakeup.call()


async def every(
    seconds: float, action: Callable[[], Awaitable[object]], stop: asyncio.Event, *, who: str
) -> None:
    """Do it again and again until stop, through outages and errors of any kind."""
    outage = Outage(who)
    while not stop.is_set():
        try:
            await action()
        except UnavailableError as error:
            await outage.wait(error, stop)
            continue
        except Exception:
            logger.exception("%s failed; it goes on", who)
        outage.over()
        # Jittered, so that many processes do not sweep in step.
        await pause(seconds * random.uniform(0.8, 1.2), stop)  # noqa: S311 - jitter
