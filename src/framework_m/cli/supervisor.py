"""m worker --processes N: keeps that many workers alive, and stops them together."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from framework_m.cli.children import Child, how_it_ended
from framework_m.cli.console import DONE, FAILED, WRONG_USAGE, complain
from framework_m.core.outage import pause

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_QUICK = 5
"""Crashes after which the next process waits no longer than after the first: a job that kills its
workers is found out within as many, and others are not to wait for that.
"""
_LIVED = 60.0
"""Seconds after which a process has lived, and the next to crash is the first again."""


def longest_wait(crashes: int) -> float:
    """Seconds until the next process starts, at most, after so many crashes in a row."""
    doublings = min(max(0, crashes - _QUICK), 10)
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**doublings)


class Supervisor:
    """Starts again what crashes; what goes on to crash, later each time.

    One that ends well has nothing to do any more. Called wrongly, or not able to begin, each would
    end as the first did: so the first one begins alone, and says what is wrong once.
    """

    def __init__(self, commands: Sequence[Sequence[str]], stop: asyncio.Event) -> None:
        """commands: the arguments of `m`, of one process each."""
        self._commands = commands
        self._stop = stop
        self._first_is_up = asyncio.Event()
        self._status = DONE

    async def run(self) -> int:
        """Until `stop`, or until all have ended; the exit status."""
        first, *others = self._commands
        await asyncio.gather(self._keep(first), *(self._keep_later(command) for command in others))
        return self._status

    async def _keep_later(self, command: Sequence[str]) -> None:
        await self._first_is_up.wait()
        await self._keep(command)

    async def _keep(self, command: Sequence[str]) -> None:
        crashes, has_been_up = 0, False
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                child = await Child.started(command)
            except OSError as error:  # no memory, no more processes: the others go on
                crashes += 1
                await self._wait(f"a worker process cannot be started ({error})", crashes)
                continue
            up = asyncio.create_task(self._notice(child))
            status = await child.ended(self._stop)
            await up
            has_been_up |= child.was_up
            if self._stop.is_set() or status == DONE:
                break
            if status == WRONG_USAGE or (status == FAILED and not has_been_up):
                self._status = status
                self._stop.set()
                break
            self._first_is_up.set()
            crashes = 1 if time.monotonic() - began > _LIVED else crashes + 1
            await self._wait(
                f"worker process {child.pid} ended with {how_it_ended(status)}", crashes
            )
        self._first_is_up.set()

    async def _notice(self, child: Child) -> None:
        if await child.up() is not None:
            self._first_is_up.set()

    async def _wait(self, told: str, crashes: int) -> None:
        ceiling = longest_wait(crashes)
        seconds = random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter
        complain(f"{told}; another starts in {seconds:.1f} s")
        await pause(seconds, self._stop)
