"""Heartbeat: a worker tells that it lives, and hears whether it is to drain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError
from framework_m.core.outage import Outage, pause
from framework_m.core.process import memory_in_use

if TYPE_CHECKING:
    from collections.abc import Callable

    from framework_m.core.interfaces.worker_store import WorkerFacts, WorkerStore

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
_KEPT = timedelta(days=1)
_FORGET_EVERY = 3600.0
_BEATS_MISSED = 3


class Heartbeat:
    """Of one worker. That nobody hears it never keeps the worker from working."""

    def __init__(
        self,
        store: WorkerStore,
        worker: WorkerFacts,
        interval: timedelta,
        drain: Callable[[], None],
    ) -> None:
        """`drain` is called once, when somebody has asked for it."""
        self._store = store
        self._worker = worker
        self._interval = interval
        self._drain = drain
        self._asked = False
        self._beat_at: float | None = None
        self._forgot_at: float | None = None

    async def run(self, stop: asyncio.Event, gone: asyncio.Event) -> None:
        """Beat until `gone`; from `stop` on as one that drains. Then take the record away."""
        await self._beat_until(stop)
        self._asked = True  # it stops already
        with contextlib.suppress(UnavailableError):
            await self._store.drain([self._worker.name])
        await self._beat_until(gone)
        try:
            await self._store.leave(self._worker.name)
        except UnavailableError as error:
            logger.warning("the record of this worker stays until it is lost: %s", error)

    async def _beat_until(self, end: asyncio.Event) -> None:
        outage = Outage("heartbeat")
        while not end.is_set():
            try:
                to_drain = await self._beat_or_look()
            except UnavailableError as error:
                await outage.wait(error, end)
                continue
            except Exception:
                logger.exception("the heartbeat failed; it goes on")
                to_drain = False
            outage.over()
            if to_drain and not self._asked:
                self._asked = True
                self._drain()
            await pause(_LOOK_EVERY, end)

    async def _beat_or_look(self) -> bool:
        """Looking is cheaper than beating, and who drains a worker waits for it."""
        now = time.monotonic()
        if self._beat_at is not None and now - self._beat_at < self._interval.total_seconds():
            return await self._store.is_to_drain(self._worker.name)
        to_drain = await self._store.beat(
            self._worker,
            memory_bytes=memory_in_use(),
            lost_after=_BEATS_MISSED * self._interval,
        )
        self._beat_at = now
        await self._forget(now)
        return to_drain

    async def _forget(self, now: float) -> None:
        if self._forgot_at is None or now - self._forgot_at > _FORGET_EVERY:
            self._forgot_at = now
            await self._store.forget(_KEPT)
