"""FrameworkMPlugin: all that is served over HTTP, as a part of any Litestar application."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from litestar import Request, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.plugins import InitPlugin

from framework_m.adapters.web import (
    enqueue_api,
    errors,
    events_api,
    health,
    job_bulk_api,
    job_control_api,
    jobs_api,
    meta_api,
    metrics_api,
    queues_api,
    resources_api,
    schedules_api,
    sessions_api,
    workers_api,
)
from framework_m.adapters.web.auth import AccessMiddleware, requires_full_access
from framework_m.adapters.web.documents import describe
from framework_m.adapters.web.limits import forgetting, limit
from framework_m.core.doctypes.representation import Representation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from litestar import Litestar
    from litestar.config.app import AppConfig

    from framework_m.core.interfaces.application import ApplicationProtocol

_WITH_BODY = ("POST", "PUT", "PATCH")
_JSON = ("application/json", "application/merge-patch+json")
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]


class FrameworkMPlugin(InitPlugin):
    """Serves a Framework M application inside a Litestar one, and opens it as long as that runs.

        app = FrameworkM(modules=["shop.jobs"])
        litestar = Litestar([orders], plugins=[FrameworkMPlugin(app, prefix="/background")])

    prefix: where its paths begin: `/api/v1/…` and `/health/…` are below it.
    worker: whether this process runs jobs, too; else `m worker` does.

    Routes, errors and limits of the other application stay as they are; so do its CORS and its
    trusted hosts, which count for these paths as well.
    """

    def __init__(
        self, application: ApplicationProtocol, *, prefix: str = "/", worker: bool = False
    ) -> None:
        self._application = application
        self._prefix = prefix
        self._worker = worker

    @cached_property
    def _representations(self) -> list[Representation[Any]]:
        """The DocTypes that are served."""
        return [
            Representation(found.doctype, found.meta)
            for found in self._application.doctypes
            if found.meta.api_resource
        ]

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        app_config.route_handlers.append(self._router())
        app_config.lifespan.append(self._serving)
        if app_config.openapi_config is not None:
            describe(app_config.openapi_config, self._representations)
        return app_config

    def _router(self) -> Router:
        application = self._application
        options = application.web_options
        access = AccessMiddleware(application)
        guarded: dict[str, Any] = {"guards": [requires_full_access], "security": _SECURITY}
        dependencies = {
            "application": Provide(lambda: application, sync_to_thread=False),
            "user": Provide(_user, sync_to_thread=False),
        }
        signing_in = Router(
            "/",
            route_handlers=[sessions_api.opening()],
            middleware=[*limit("sign-in", options.sign_in_limit), access],
            dependencies=dependencies,
            **guarded,
        )
        api = Router(
            "/",
            route_handlers=[
                sessions_api.router(),
                jobs_api.router(),
                job_control_api.router(),
                job_bulk_api.router(),
                queues_api.router(),
                workers_api.router(),
                schedules_api.router(),
                metrics_api.router(),
                events_api.router(),
                meta_api.router(),
            ],
            middleware=[access],
            dependencies=dependencies,
            **guarded,
        )
        documents = Router(
            "/",
            route_handlers=resources_api.routers(self._representations),
            middleware=[access],
            **guarded,
        )
        # Without dependencies: Litestar takes a wrong field of a body for one of its name.
        enqueueing = Router(
            "/",
            route_handlers=[enqueue_api.router()],
            middleware=[access, *limit("enqueue", options.enqueue_limit)],
            **guarded,
        )
        return Router(
            self._prefix,
            route_handlers=[signing_in, api, documents, enqueueing, health.router(dependencies)],
            exception_handlers=errors.handlers(),
            before_request=_require_json,
            request_max_body_size=options.body_limit,
        )

    @contextlib.asynccontextmanager
    async def _serving(self, litestar: Litestar) -> AsyncIterator[None]:
        async with self._application.serving(), self._working(), forgetting(litestar):
            yield

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        if not self._worker:
            yield
            return
        async with self._application.worker():
            yield


def _user(request: Request[Any, Any, Any]) -> Any:
    return request.user


async def _require_json(request: Request[Any, Any, Any]) -> None:
    """Bodies are JSON and say so."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in _WITH_BODY and _has_body(request) and media_type not in _JSON:
        raise HTTPException(status_code=415, detail="send the body as application/json")


def _has_body(request: Request[Any, Any, Any]) -> bool:
    length = request.headers.get("content-length")
    return "transfer-encoding" in request.headers or length not in (None, "0")
