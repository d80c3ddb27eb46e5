"""What may be done to a job over HTTP: cancel it, run it again, delete it."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, delete, post
from litestar.params import FromPath

from framework_m.adapters.web.answers import COMMON, job_location, problem
from framework_m.adapters.web.auth import OWN_CHECKS
from framework_m.adapters.web.dependencies import Application, CurrentUser
from framework_m.adapters.web.enqueue_api import Enqueued, permitted
from framework_m.adapters.web.jobs_api import job_of
from framework_m.core.access.permissions import Reach, reach_of_jobs
from framework_m.core.jobs.states import JobStatus

_OF_A_JOB = {**COMMON, 404: problem("No job of yours has this id.")}


@post(
    "/{job_id:str}/cancel",
    status_code=202,
    summary="Cancel a job",
    opt=OWN_CHECKS,
    responses={**_OF_A_JOB, 409: problem("It has already ended.")},
)
async def cancel_job(
    job_id: FromPath[str], application: Application, user: CurrentUser
) -> Enqueued:
    """One that waits is Cancelled now; one that runs is asked to stop, within a second."""
    job = await job_of(application, user, job_id)
    status = await application.jobs.cancel(job_id)
    waited = status is JobStatus.CANCELLED
    told = "was cancelled" if waited else "is asked to stop"
    return Enqueued(job_id=job_id, status=status, message=f"{job.job_name} {told}")


@post(
    "/{job_id:str}/retry",
    status_code=202,
    summary="Run a finished job again",
    opt=OWN_CHECKS,
    responses={
        **_OF_A_JOB,
        409: problem("It has not ended yet."),
        422: problem("No such job for this user any more, or its arguments no longer fit."),
    },
)
async def retry_job(
    job_id: FromPath[str],
    application: Application,
    user: CurrentUser,
    request: Request[Any, Any, Any],
) -> Response[Enqueued]:
    """As a new job with the same arguments, whose `retry_of` is this one."""
    job = await job_of(application, user, job_id)
    if reach_of_jobs(user) is not Reach.ALL:
        permitted(application, user, job.job_name)
    again = await application.jobs.retry(job_id)
    what = "is there already: this is the one" if again.existed else "was enqueued again"
    told = Enqueued(job_id=again, status=await again.status(), message=f"{job.job_name} {what}")
    return Response(told, headers=job_location(request.url.path, again))


@delete(
    "/{job_id:str}",
    summary="Cancel and delete a job",
    opt=OWN_CHECKS,
    responses=_OF_A_JOB,
)
async def delete_job(job_id: FromPath[str], application: Application, user: CurrentUser) -> None:
    """With all that it said. If it runs, it is stopped within a second."""
    await job_of(application, user, job_id)
    await application.jobs.delete(job_id)


def router() -> Router:
    return Router("/api/v1/jobs", route_handlers=[cancel_job, retry_job, delete_job], tags=["jobs"])
