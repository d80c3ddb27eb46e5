"""The two roles of a process: it asks for jobs, it runs them. Each starts and ends once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from taskiq import TaskiqEvents, TaskiqMiddleware
from taskiq.utils import maybe_awaitable

from framework_m.core.errors import ConfigurationError, FrameworkMError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from taskiq import AsyncBroker

logger = logging.getLogger(__name__)


class Roles:
    """Of one broker in this process. A process may have both, and run several workers."""

    def __init__(self, broker: AsyncBroker) -> None:
        self.client = Role(broker, TaskiqEvents.CLIENT_STARTUP, TaskiqEvents.CLIENT_SHUTDOWN)
        self.worker = WorkerRole(broker, TaskiqEvents.WORKER_STARTUP, TaskiqEvents.WORKER_SHUTDOWN)

    @property
    def is_working(self) -> bool:
        return self.worker.holders > 0


class Role:
    """Runs event handlers, and middlewares' startup, for the first that enters.

    And what undoes them for the last that leaves.
    """

    def __init__(self, broker: AsyncBroker, start: TaskiqEvents, end: TaskiqEvents) -> None:
        self._broker = broker
        self._start = start
        self._end = end
        self._turn = asyncio.Lock()
        self._home: asyncio.AbstractEventLoop | None = None
        self.holders = 0
        self._has_begun = False

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def enter(self) -> None:
        """Returns when all has been started. Raises ConfigurationError for what cannot be."""
        home = asyncio.get_running_loop()
        if home is not self._home:  # a lock is one event loop's
            self._home, self._turn = home, asyncio.Lock()
        self.holders += 1
        try:
            async with self._turn:
                if not self._has_begun:
                    await self._begin()
                    self._has_begun = True
        except BaseException:
            self.holders -= 1
            raise

    async def leave(self) -> None:
        """Not entered: nothing to do."""
        if self.holders == 0:
            return
        async with self._turn:
            self.holders -= 1
            if self.holders == 0:
                self._has_begun = False
                await self._finish()

    async def _begin(self) -> None:
        try:
            await self._run(self._start, "startup")
        except FrameworkMError:
            raise
        except Exception as error:
            logger.exception("%s failed", self._start.value)
            told = f"{type(error).__name__}: {error}"
            raise ConfigurationError(f"{self._start.value} failed ({told})") from error

    async def _finish(self) -> None:
        """What fails is told, and keeps nothing else from ending."""
        for act in self._acts(self._end, "shutdown"):
            try:
                await maybe_awaitable(act())
            except Exception:
                logger.exception("%s failed", self._end.value)

    async def _run(self, event: TaskiqEvents, method: str) -> None:
        for act in self._acts(event, method):
            await maybe_awaitable(act())

    def _acts(self, event: TaskiqEvents, method: str) -> list[Callable[[], Awaitable[None] | None]]:
        state = self._broker.state
        handlers = [
            lambda handler=handler: handler(state) for handler in self._broker.event_handlers[event]
        ]
        own = [
            getattr(middleware, method)
            for middleware in self._broker.middlewares
            if getattr(type(middleware), method) is not getattr(TaskiqMiddleware, method)
        ]
        return [*handlers, *own]


class WorkerRole(Role):
    """While a worker runs, this is a worker process to taskiq and its middlewares."""

    async def _begin(self) -> None:
        was, self._broker.is_worker_process = self._broker.is_worker_process, True
        try:
            await super()._begin()
        except BaseException:
            self._broker.is_worker_process = was
            raise

    async def _finish(self) -> None:
        await super()._finish()
        self._broker.is_worker_process = False
