"""Announcements: what changes of schedules tell the server, without keeping who made them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from framework_m.core.interfaces.schedule_store import Due

logger = logging.getLogger(__name__)

_PATIENCE = 2.0

News = dict[str, "Due | None"]
"""By schedule: when it is due next, or that it is not any more."""


class Announcements:
    """Told in the background, many at once, of each schedule the latest alone.

    What cannot be told is forgotten: the records say the same, and are looked at.
    """

    def __init__(self, tell: Callable[[News], Awaitable[None]]) -> None:
        self._tell = tell
        self._news: News = {}
        self._telling: asyncio.Task[None] | None = None

    def add(self, news: Mapping[str, Due | None]) -> None:
        self._news.update(news)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_all(), name="schedules")

    async def close(self) -> None:
        """Tell what is still to be told, if that takes no longer than a moment."""
        if self._telling is not None:
            await asyncio.wait([self._telling], timeout=_PATIENCE)
            self._telling.cancel()

    async def _tell_all(self) -> None:
        while self._news:
            news, self._news = self._news, {}
            try:
                await self._tell(news)
            except UnavailableError as error:
                logger.debug("not told, so the records are looked at: %s", error)
