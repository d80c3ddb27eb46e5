"""Places: how many requests are under way at once, in all and to one host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Places:
    """Who finds none waits in line, holds no connection, and has no clock running.

    The host's comes first: those who wait for a slow host take nothing from the others.
    """

    def __init__(self, in_all: int, per_host: int) -> None:
        self._in_all = asyncio.Semaphore(in_all)
        self._per_host = per_host
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def taken(self, host: str) -> AsyncIterator[None]:
        """Hold one place while the block runs."""
        line = self._hosts.get(host)
        if line is None:
            line = self._hosts[host] = _Host(self._per_host)
        line.known_to += 1
        try:
            async with line.places, self._in_all:
                yield
        finally:
            line.known_to -= 1
            if not line.known_to:
                del self._hosts[host]


class _Host:
    __slots__ = ("known_to", "places")

    def __init__(self, places: int) -> None:
        self.places = asyncio.Semaphore(places)
        self.known_to = 0
