"""Jobs over HTTP: look at one, list them, count them."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel, Field

from framework_m.adapters.web.answers import COMMON, problem
from framework_m.adapters.web.auth import OWN_CHECKS
from framework_m.adapters.web.dependencies import Application, CurrentUser
from framework_m.adapters.web.errors import BadRequestError
from framework_m.adapters.web.job_query import WantedJobs, wanted_jobs
from framework_m.core.access.permissions import reach_of_jobs, reaches
from framework_m.core.doctypes.job_log import JobLog
from framework_m.core.errors import JobNotFoundError
from framework_m.core.identity import User
from framework_m.core.ids import is_uuid
from framework_m.core.interfaces.application import ApplicationProtocol
from framework_m.core.interfaces.job_reading import JobCursor


class JobPage(BaseModel):
    """Some jobs, newest first."""

    items: list[JobLog]
    next_cursor: str | None = Field(description="Ask again with it for the next; null at the end.")


class JobNumber(BaseModel):
    """How many jobs there are."""

    count: int
    is_exact: bool = Field(description="False if there are at least so many.")


@get("/", summary="List jobs", opt=OWN_CHECKS, responses=COMMON)
async def list_jobs(
    application: Application,
    wanted: WantedJobs,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> JobPage:
    """Your own, newest first, a page at a time; everybody's for the role System Manager."""
    wanted.require_known("limit", "cursor")
    if wanted.is_nobodys:
        return JobPage(items=[], next_cursor=None)
    found = await application.jobs.list(limit=limit + 1, before=wanted.before, **wanted.filters)
    more = len(found) > limit
    items = list(found[:limit])
    return JobPage(items=items, next_cursor=JobCursor.of(items[-1]).encode() if more else None)


@get("/count", summary="Count jobs", opt=OWN_CHECKS, responses=COMMON)
async def count_jobs(application: Application, wanted: WantedJobs) -> JobNumber:
    """How many a list with the same filters has: exact up to 10,000, else at least so many."""
    wanted.require_known()
    if wanted.is_nobodys:
        return JobNumber(count=0, is_exact=True)
    found = await application.jobs.count(**wanted.filters)
    return JobNumber(count=found.count, is_exact=found.is_exact)


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
    return Router(
        "/api/v1/jobs",
        route_handlers=[list_jobs, count_jobs, get_job],
        dependencies={"wanted": wanted_jobs()},
        tags=["jobs"],
    )
