"""Workers over HTTP: who works, drain one. For the role System Manager."""

from __future__ import annotations

from litestar import Router, get, post
from litestar.params import FromPath
from pydantic import BaseModel

from framework_m.adapters.web.answers import COMMON, problem
from framework_m.adapters.web.dependencies import Application
from framework_m.core.doctypes.worker import WorkerInfo
from framework_m.core.errors import NotFoundError
from framework_m.core.interfaces.application import ApplicationProtocol

_NAMED = {**COMMON, 404: problem("No worker has this name.")}


class WorkerList(BaseModel):
    """Every worker that is known, by name."""

    items: list[WorkerInfo]


@get("/", summary="List workers", responses=COMMON)
async def list_workers(application: Application) -> WorkerList:
    """Those that died are `lost` for a day; those that stopped are gone."""
    return WorkerList(items=list(await application.workers.list()))


@get("/{name:str}", summary="One worker", responses=_NAMED)
async def get_worker(name: FromPath[str], application: Application) -> WorkerInfo:
    """How it stands, and which jobs it runs."""
    return await _known(application, name)


@post("/{name:str}/drain", status_code=202, summary="Drain a worker", responses=_NAMED)
async def drain_worker(name: FromPath[str], application: Application) -> WorkerInfo:
    """Within about a second it begins nothing more; it ends after the jobs that it runs."""
    await application.workers.drain(name)
    return await _known(application, name)


def router() -> Router:
    return Router(
        "/api/v1/workers",
        route_handlers=[list_workers, get_worker, drain_worker],
        tags=["workers"],
    )


async def _known(application: ApplicationProtocol, name: str) -> WorkerInfo:
    found = await application.workers.get(name)
    if found is None:
        raise NotFoundError("Worker", name)
    return found
