"""How a job function is called in the worker's own process, under its timeout."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import time
from typing import TYPE_CHECKING, Any

from framework_m.core.errors import JobTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from concurrent.futures import Executor

    from framework_m.core.interfaces.job_store import Claim
    from framework_m.core.jobs.cancellation import Cancellation
    from framework_m.core.jobs.registry import RegisteredJob

logger = logging.getLogger(__name__)

MOST_THREADS = 500
"""Of one worker, however many jobs it may run at once: each has a stack of its own."""


def in_the_loop(job: RegisteredJob) -> Callable[..., Awaitable[Any]]:
    """A coroutine function under its timeout. A TimeoutError of its own making stays its own."""

    async def run(**kwargs: Any) -> Any:
        limit = asyncio.timeout(job.timeout)
        try:
            async with limit:
                return await job.function.function(**kwargs)
        except TimeoutError as error:
            if limit.expired():
                raise JobTimeoutError(job.name, job.timeout) from error
            raise

    return run


class JobThreads:
    """The threads of one worker. Nothing can stop one: it is asked, and counted until it ends.

    Jobs beyond the most threads wait in line, and their time does not run.
    """

    def __init__(
        self, executor: Executor | None, capacity: int, on_end: Callable[[], None]
    ) -> None:
        """on_end: called when a thread that was left has ended, and its slot is free."""
        self._executor = executor
        self._capacity = capacity
        self._on_end = on_end
        self._places = asyncio.Semaphore(min(capacity, MOST_THREADS))
        self._left: set[asyncio.Future[Any]] = set()

    @property
    def left(self) -> Collection[asyncio.Future[Any]]:
        """Threads whose job has an outcome and which go on all the same, each in its slot."""
        return self._left

    async def wait(self, seconds: float, *, but: Collection[asyncio.Future[Any]]) -> None:
        """Until those that were left have ended, or so many seconds."""
        left = [thread for thread in self._left if thread not in but]
        if left:
            await asyncio.wait(left, timeout=seconds)

    def call(
        self,
        job: RegisteredJob,
        claim: Claim,
        cancellation: Cancellation,
        is_unwanted: Callable[[], bool],
    ) -> Callable[..., Awaitable[Any]]:
        """A plain function, to be awaited.

        is_unwanted: whether the worker itself wants to be rid of the run; then it is left at
            once. Who asks for its cancellation otherwise waits for the thread to notice.
        """

        async def run(**kwargs: Any) -> Any:
            await self._places.acquire()
            thread = self._started(job, kwargs)
            try:
                if await _ended_in_time(thread, job.timeout, cancellation, is_unwanted):
                    return thread.result()
            except asyncio.CancelledError:
                self._leave(thread, claim, "was given up")
                raise
            self._leave(thread, claim, f"ran longer than its timeout of {job.timeout:g} s")
            cancellation.check()  # asked for before, and not noticed: that is its outcome
            cancellation.request("it ran longer than its timeout")
            raise JobTimeoutError(job.name, job.timeout, thread_goes_on=True)

        return run

    def _started(self, job: RegisteredJob, kwargs: dict[str, Any]) -> asyncio.Future[Any]:
        # As taskiq does it: who acts, and whose log lines are whose, is in the context.
        context = contextvars.copy_context()
        function = functools.partial(job.function.function, **kwargs)
        loop = asyncio.get_running_loop()
        try:
            thread = loop.run_in_executor(self._executor, context.run, function)
        except BaseException:
            self._places.release()
            raise
        thread.add_done_callback(lambda _: self._places.release())
        return thread

    def _leave(self, thread: asyncio.Future[Any], claim: Claim, why: str) -> None:
        if thread.done():
            _heard(thread)
            return
        self._left.add(thread)
        name = f"{claim.job_name} {claim.job_id}"
        thread.add_done_callback(functools.partial(self._ended, name, time.monotonic()))
        logger.warning("%s %s: its thread goes on, and holds a slot until it ends", name, why)
        if len(self._left) >= self._capacity:
            logger.error(
                "all %d slots are held by threads of jobs that were given up: this worker runs "
                "nothing until one of them ends",
                self._capacity,
            )

    def _ended(self, name: str, since: float, thread: asyncio.Future[Any]) -> None:
        self._left.discard(thread)
        _heard(thread)
        seconds = time.monotonic() - since
        logger.info("%s: its thread has ended after all, %.1f s later", name, seconds)
        self._on_end()


async def _ended_in_time(
    thread: asyncio.Future[Any],
    timeout: float,
    cancellation: Cancellation,
    is_unwanted: Callable[[], bool],
) -> bool:
    """Whether the thread ended; it may be cancelled and go on waiting, if the thread was asked."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout
    while not thread.done():
        left = until - loop.time()
        if left <= 0:
            return False
        try:
            await asyncio.wait({thread}, timeout=left)
        except asyncio.CancelledError:
            if is_unwanted() or not cancellation.is_requested:
                raise
            _not_cancelled()
    return True


def _heard(thread: asyncio.Future[Any]) -> None:
    """asyncio complains of an error that nobody asks for, and nobody else does."""
    if not thread.cancelled():
        thread.exception()


def _not_cancelled() -> None:
    current = asyncio.current_task()
    if current is not None:
        current.uncancel()
