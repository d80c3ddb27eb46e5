"""Rate limits, by Litestar's own middleware: so many requests a minute, counted per process."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.middleware.rate_limit import RateLimitConfig, get_remote_address
from litestar.stores.memory import MemoryStore

from framework_m.core.outage import every

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from litestar import Litestar
    from litestar.types import Middleware

STORE = "framework_m_rate_limits"
_FORGET_EVERY = 60.0


def limit(what: str, per_minute: int) -> list[Middleware]:
    """So often a minute for a user, or an address where no user is known yet; 0 is any."""
    if not per_minute:
        return []

    def identifier(request: Request[Any, Any, Any]) -> str:
        user = request.scope.get("user")
        return f"{what} of {get_remote_address(request) if user is None else user}"

    config = RateLimitConfig(("minute", per_minute), identifier_for_request=identifier, store=STORE)
    return [config.middleware]


@contextlib.asynccontextmanager
async def forgetting(litestar: Litestar) -> AsyncIterator[None]:
    """Counts of minutes long gone leave the memory for as long as the block lasts."""
    store = litestar.stores.get(STORE)
    stop = asyncio.Event()
    sweeping: asyncio.Task[None] | None = None
    if isinstance(store, MemoryStore):  # others forget by themselves
        sweep = every(_FORGET_EVERY, store.delete_expired, stop, who="rate limits")
        sweeping = asyncio.create_task(sweep, name="rate limits")
    try:
        yield
    finally:
        stop.set()
        if sweeping is not None:
            await sweeping
