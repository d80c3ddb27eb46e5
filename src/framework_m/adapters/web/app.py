"""The application as a Litestar application."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin

from framework_m import __version__
from framework_m.adapters.web import errors, events_api, health, jobs_api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from framework_m.core.interfaces.application import ApplicationProtocol

_WITH_BODY = ("POST", "PUT", "PATCH")


def build(application: ApplicationProtocol, *, body_limit: int) -> Litestar:
    """Serve this application. `body_limit` is the largest request body, in bytes."""

    @contextlib.asynccontextmanager
    async def serving(_: Litestar) -> AsyncIterator[None]:
        async with application.serving():
            yield

    return Litestar(
        route_handlers=[jobs_api.router(), events_api.router(), health.router()],
        dependencies={"application": Provide(lambda: application, sync_to_thread=False)},
        exception_handlers=errors.handlers(),
        lifespan=[serving],
        before_request=_require_json,
        request_max_body_size=body_limit,
        openapi_config=_openapi(),
        logging_config=None,
    )


async def _require_json(request: Request[Any, Any, Any]) -> None:
    """Bodies are JSON and say so: a form of another site cannot enqueue unasked."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in _WITH_BODY and media_type != "application/json":
        raise HTTPException(status_code=415, detail="send the body as application/json")


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Framework M",
        version=__version__,
        path="/schema",
        # The documents only: the pages that show them load their scripts from elsewhere.
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"]), YamlRenderPlugin()],
    )
