"""Jobs over HTTP: enqueue one, look at one, list them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from pydantic import BaseModel, ConfigDict, Field

from framework_m.adapters.web.dependencies import Application
from framework_m.adapters.web.errors import BadRequestError, Problem
from framework_m.core.causes import Cause, caused_by, traceparent
from framework_m.core.doctypes.job_log import JobLog
from framework_m.core.errors import JobNotFoundError
from framework_m.core.ids import is_uuid
from framework_m.core.jobs.control import LONGEST_WAIT
from framework_m.core.jobs.states import JobStatus

_QUERY = frozenset({"status", "job_name", "queue", "limit", "cursor"})


class EnqueueRequest(BaseModel):
    """A run that is asked for."""

    model_config = ConfigDict(extra="forbid")

    job_name: str = Field(description="The name of a registered job function.")
    args: dict[str, Any] = Field(default_factory=dict, description="Its arguments, by name.")
    delay: float = Field(
        0, ge=0, le=LONGEST_WAIT.total_seconds(), description="Seconds to wait first."
    )


class Enqueued(BaseModel):
    """A run that was accepted."""

    job_id: str
    status: JobStatus
    message: str


class JobPage(BaseModel):
    """Some jobs, newest first."""

    items: list[JobLog]
    next_cursor: str | None = Field(description="Ask again with it for the next; null at the end.")


def _problem(description: str) -> ResponseSpec:
    return ResponseSpec(
        Problem,
        description=description,
        media_type="application/problem+json",
        generate_examples=False,
    )


_COMMON = {400: _problem("The request means nothing."), 503: _problem("A server is away.")}


@post(
    "/",
    status_code=202,
    summary="Enqueue a job",
    responses={
        **_COMMON,
        413: _problem("The body is too large."),
        415: _problem("The body is not JSON."),
        422: _problem("No such job, or its arguments do not fit; `errors` names each."),
    },
)
async def enqueue(
    data: JSONBody[EnqueueRequest],
    application: Application,
    trace: Annotated[str | None, HeaderParameter(name="traceparent")] = None,
) -> Response[Enqueued]:
    """The job is committed when this answers, and runs at least once."""
    request = application.jobs.function(data.job_name).options(delay=data.delay)
    with caused_by(Cause(trace_context=traceparent(trace))):
        job_id = await application.jobs.enqueue(request, **data.args)
    accepted = Enqueued(
        job_id=job_id,
        status=JobStatus.SCHEDULED if data.delay else JobStatus.QUEUED,
        message=f"{data.job_name} was enqueued",
    )
    return Response(accepted, headers={"Location": f"/api/v1/jobs/{job_id}"})


@get("/", summary="List jobs", responses=_COMMON)
async def list_jobs(
    request: Request[Any, Any, Any],
    application: Application,
    status: FromQuery[JobStatus | None] = None,
    job_name: FromQuery[str | None] = None,
    queue: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    cursor: FromQuery[str | None] = None,
) -> JobPage:
    """Newest first, a page at a time."""
    for name in request.query_params:
        if name not in _QUERY:
            raise BadRequestError(name, "is not a filter; use " + ", ".join(sorted(_QUERY)))
    found = await application.jobs.list(
        status=status,
        job_name=job_name,
        queue=queue,
        limit=limit + 1,
        before=_decoded(cursor),
    )
    more = len(found) > limit
    items = list(found[:limit])
    return JobPage(items=items, next_cursor=_encoded(items[-1].job_id) if more else None)


@get(
    "/{job_id:str}",
    summary="One job",
    responses={**_COMMON, 404: _problem("No job has this id.")},
)
async def get_job(job_id: FromPath[str], application: Application) -> JobLog:
    """Its record as it stands."""
    if not is_uuid(job_id):
        raise BadRequestError("job_id", "is not a UUID")
    found = await application.jobs.get(job_id)
    if found is None:
        raise JobNotFoundError(job_id)
    return found


def router() -> Router:
    return Router("/api/v1/jobs", route_handlers=[enqueue, list_jobs, get_job], tags=["jobs"])


def _encoded(job_id: str) -> str:
    return base64.urlsafe_b64encode(job_id.encode()).decode().rstrip("=")


def _decoded(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        job_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        job_id = ""
    if not is_uuid(job_id):
        raise BadRequestError("cursor", "is not one that an earlier page gave")
    return job_id
