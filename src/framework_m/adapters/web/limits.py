"""Rate limits, by Litestar's own middleware: so many requests a minute, counted per process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.middleware.rate_limit import RateLimitConfig, get_remote_address

if TYPE_CHECKING:
    from litestar.types import Middleware

STORE = "framework_m_rate_limits"


def limit(what: str, per_minute: int) -> list[Middleware]:
    """So often a minute for a user, or an address where no user is known yet; 0 is any."""
    if not per_minute:
        return []

    def identifier(request: Request[Any, Any, Any]) -> str:
        user = request.scope.get("user")
        return f"{what} of {get_remote_address(request) if user is None else user}"

    config = RateLimitConfig(("minute", per_minute), identifier_for_request=identifier, store=STORE)
    return [config.middleware]
