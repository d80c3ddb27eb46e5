"""taskiq's middlewares around our runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from taskiq import SimpleRetryMiddleware, SmartRetryMiddleware, TaskiqMiddleware
from taskiq.utils import maybe_awaitable

from framework_m.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from taskiq import AsyncBroker, TaskiqMessage, TaskiqResult

logger = logging.getLogger(__name__)


def require_fit(middlewares: Iterable[TaskiqMiddleware]) -> None:
    """Raises ConfigurationError for one that would try jobs again by itself."""
    for middleware in middlewares:
        if isinstance(middleware, (SimpleRetryMiddleware, SmartRetryMiddleware)):
            raise ConfigurationError(
                f"{type(middleware).__name__}: jobs would be tried again twice over; leave it "
                f"out, and say how often with labels: retry=3, or retry_on_error=True, "
                f"max_retries=3"
            )


class Middlewares:
    """Those of one broker, in taskiq's order: inwards in theirs, outwards in reverse."""

    def __init__(self, broker: AsyncBroker) -> None:
        self._broker = broker

    async def before(self, message: TaskiqMessage) -> TaskiqMessage:
        """What is to be run, as they have changed it. Raises what they raise."""
        for pre_execute in self._hooks("pre_execute", self._broker.middlewares):
            message = await maybe_awaitable(pre_execute(message))
        return message

    async def failed(
        self, message: TaskiqMessage, result: TaskiqResult[Any], error: BaseException
    ) -> None:
        """Where taskiq's receiver does not do it: for jobs in processes."""
        for on_error in self._outwards("on_error"):
            await maybe_awaitable(on_error(message, result, error))

    async def after(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """They may change the result. Raises what they raise."""
        for post_execute in self._outwards("post_execute"):
            await maybe_awaitable(post_execute(message, result))

    async def saved(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """The outcome stands, whatever they do."""
        try:
            for post_save in self._outwards("post_save"):
                await maybe_awaitable(post_save(message, result))
        except Exception:
            logger.exception("%s %s: post_save failed", message.task_name, message.task_id)

    def _outwards(self, method: str) -> Iterator[Callable[..., Any]]:
        return self._hooks(method, self._broker.middlewares[::-1])

    def _hooks(
        self, method: str, middlewares: Sequence[TaskiqMiddleware]
    ) -> Iterator[Callable[..., Any]]:
        """Of those that have more than taskiq's empty one."""
        for middleware in middlewares:
            if getattr(type(middleware), method) is not getattr(TaskiqMiddleware, method):
                yield getattr(middleware, method)
