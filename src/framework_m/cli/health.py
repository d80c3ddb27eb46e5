"""The health port of a worker: /health/live and /health/ready, for whoever restarts it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

from framework_m.core.health import LIVE, readiness
from framework_m.core.interfaces.application import Check

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from framework_m.app import FrameworkM

    Send = Callable[[dict[str, Any]], Awaitable[None]]

_LONGEST_LOOK = 10.0
_STOP_TIMEOUT = 5.0
_MOST_CONNECTIONS = 100
_METHODS = ("GET", "HEAD")


class Health:
    """An ASGI application that runs in another event loop than the worker.

    In a thread of its own: a job that keeps the worker's event loop to itself is no reason to
    kill the process, and keeps its lease, so /health/live goes on to answer.
    """

    def __init__(self, app: FrameworkM, stop: asyncio.Event, drained: asyncio.Event) -> None:
        """stop, drained: set when the worker stops, and when it begins to drain."""
        self._app = app
        self._ends = {"stopping": stop, "draining": drained}
        self._worker = asyncio.get_running_loop()

    async def __call__(self, scope: dict[str, Any], _receive: Any, send: Send) -> None:
        status, body = await self._answer(scope["method"], scope["path"])
        content = json.dumps(body).encode()
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        headers.append((b"content-length", str(len(content)).encode()))
        if status == 405:
            headers.append((b"allow", ", ".join(_METHODS).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        if path not in ("/health/live", "/health/ready"):
            return 404, {"status": "not found"}
        if method not in _METHODS:
            return 405, {"status": "method not allowed"}
        if path == "/health/live":
            return 200, LIVE
        return readiness(await self._checks())

    async def _checks(self) -> Sequence[Check]:
        """As the worker's own event loop sees it."""
        try:
            asked = asyncio.run_coroutine_threadsafe(self._app.readiness(), self._worker)
            async with asyncio.timeout(_LONGEST_LOOK):
                checks = await asyncio.wrap_future(asked)
        except (TimeoutError, RuntimeError):
            detail = "its event loop does not answer: a job keeps it to itself"
            return [Check("worker", ok=False, detail=detail)]
        ending = next((how for how, begun in self._ends.items() if begun.is_set()), None)
        return [*checks, Check("worker", ok=ending is None, detail=ending or "running")]


@contextlib.contextmanager
def health_served(
    app: FrameworkM, stop: asyncio.Event, drained: asyncio.Event, listener: socket.socket | None
) -> Iterator[None]:
    """Answer there for as long as the block lasts, also while the worker stops."""
    if listener is None:
        yield
        return
    import uvicorn  # noqa: PLC0415 - only where something is served

    config = uvicorn.Config(
        Health(app, stop, drained),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=[[listener]], name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP_TIMEOUT)
