"""Health: does the process live, and can it do its work."""

from __future__ import annotations

from typing import Any

from litestar import Response, Router, get
from litestar.types import Dependencies

from framework_m.adapters.web.dependencies import Application
from framework_m.core.health import LIVE, readiness


@get("/live", summary="Whether the process lives", sync_to_thread=False)
def live() -> dict[str, str]:
    """Always 200 while the process answers at all."""
    return LIVE


@get("/ready", summary="Whether it can do its work")
async def ready(application: Application) -> Response[dict[str, Any]]:
    """200 if everything it needs is there, else 503; each thing is listed."""
    status, body = readiness(await application.readiness())
    return Response(body, status_code=status)


def router(dependencies: Dependencies) -> Router:
    """Open to all: whoever restarts and balances has no token."""
    handlers = [live, ready]
    return Router("/health", route_handlers=handlers, dependencies=dependencies, tags=["health"])
