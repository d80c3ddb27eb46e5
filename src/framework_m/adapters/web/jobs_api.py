"""Jobs over HTTP: look at one, list them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.params import FromPath, FromQuery, QueryParameter
from pydantic import BaseModel, Field

from framework_m.adapters.web.answers import COMMON, problem
from framework_m.adapters.web.auth import OWN_CHECKS
from framework_m.adapters.web.dependencies import Application, CurrentUser
from framework_m.adapters.web.errors import BadRequestError
from framework_m.core.access.permissions import Reach, reach_of_jobs, reaches
from framework_m.core.doctypes.job_log import JobLog
from framework_m.core.errors import JobNotFoundError
from framework_m.core.identity import User
from framework_m.core.ids import is_uuid
from framework_m.core.interfaces.application import ApplicationProtocol
from framework_m.core.jobs.states import JobStatus

_QUERY = frozenset({"status", "job_name", "queue", "user", "limit", "cursor"})


class JobPage(BaseModel):
    """Some jobs, newest first."""

    items: list[JobLog]
    next_cursor: str | None = Field(description="Ask again with it for the next; null at the end.")


@get("/", summary="List jobs", opt=OWN_CHECKS, responses=COMMON)
async def list_jobs(
    request: Request[Any, Any, Any],
    application: Application,
    user: CurrentUser,
    status: FromQuery[JobStatus | None] = None,
    job_name: FromQuery[str | None] = None,
    queue: FromQuery[str | None] = None,
    of_user: Annotated[str | None, QueryParameter(name="user")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    cursor: FromQuery[str | None] = None,
) -> JobPage:
    """Your own, newest first, a page at a time; everybody's for the role System Manager."""
    for name in request.query_params:
        if name not in _QUERY:
            raise BadRequestError(name, "is not a filter; use " + ", ".join(sorted(_QUERY)))
    everybodys = reach_of_jobs(user) is Reach.ALL
    if not everybodys and of_user not in (None, user.id):
        return JobPage(items=[], next_cursor=None)
    found = await application.jobs.list(
        status=status,
        job_name=job_name,
        queue=queue,
        user_id=of_user if everybodys else user.id,
        limit=limit + 1,
        before=_decoded(cursor),
    )
    more = len(found) > limit
    items = list(found[:limit])
    return JobPage(items=items, next_cursor=_encoded(items[-1].job_id) if more else None)


@get(
    "/{job_id:str}",
    summary="One job",
    opt=OWN_CHECKS,
    responses={**COMMON, 404: problem("No job of yours has this id.")},
)
async def get_job(job_id: FromPath[str], application: Application, user: CurrentUser) -> JobLog:
    """Its record as it stands: of your own job; of any for the role System Manager."""
    return await job_of(application, user, job_id)


async def job_of(application: ApplicationProtocol, user: User, job_id: str) -> JobLog:
    """A job that this user may look at. Raises BadRequestError, JobNotFoundError."""
    if not is_uuid(job_id):
        raise BadRequestError("job_id", "is not a UUID")
    found = await application.jobs.get(job_id)
    if found is None or not reaches(reach_of_jobs(user), user, found.user_id):
        raise JobNotFoundError(job_id)
    return found


def router() -> Router:
    return Router("/api/v1/jobs", route_handlers=[list_jobs, get_job], tags=["jobs"])


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
