"""Queues over HTTP: how they stand, pause, resume. For the role System Manager."""

from __future__ import annotations

from litestar import Router, get, post
from litestar.params import FromPath
from pydantic import BaseModel

from framework_m.adapters.web.answers import COMMON, problem
from framework_m.adapters.web.dependencies import Application
from framework_m.core.doctypes.queue import Queue, QueueInfo
from framework_m.core.errors import NotFoundError
from framework_m.core.interfaces.application import ApplicationProtocol

_NAMED = {**COMMON, 422: problem("This cannot be the name of a queue.")}


class QueueList(BaseModel):
    """Every queue that is known, by name."""

    items: list[QueueInfo]


@get("/", summary="List queues", responses=COMMON)
async def list_queues(application: Application) -> QueueList:
    """Those with a record, those that job functions name, and those with jobs."""
    return QueueList(items=list(await application.queues.list()))


@get(
    "/{name:str}",
    summary="One queue",
    responses={**_NAMED, 404: problem("Nothing is known of such a queue.")},
)
async def get_queue(name: FromPath[str], application: Application) -> QueueInfo:
    """How it stands: whether it is paused, its jobs by state, and its rate."""
    return await _known(application, name)


@post("/{name:str}/pause", status_code=200, summary="Pause a queue", responses=_NAMED)
async def pause_queue(name: FromPath[str], application: Application) -> QueueInfo:
    """None of its jobs starts any more, in any process; those that run go on."""
    await application.queues.pause(name)
    return await _known(application, name)


@post("/{name:str}/resume", status_code=200, summary="Resume a queue", responses=_NAMED)
async def resume_queue(name: FromPath[str], application: Application) -> QueueInfo:
    """Its jobs start again, within about a second."""
    await application.queues.resume(name)
    return await _known(application, name)


def router() -> Router:
    return Router(
        "/api/v1/queues",
        route_handlers=[list_queues, get_queue, pause_queue, resume_queue],
        tags=["queues"],
    )


async def _known(application: ApplicationProtocol, name: str) -> QueueInfo:
    found = await application.queues.get(name)
    if found is None:
        raise NotFoundError(Queue.__name__, name)
    return found
