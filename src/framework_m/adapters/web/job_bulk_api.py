"""What may be done to many jobs at once over HTTP: cancel, run again, delete all that fit."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, delete, post
from litestar.params import QueryParameter
from pydantic import BaseModel, Field

from framework_m.adapters.web.answers import COMMON
from framework_m.adapters.web.auth import OWN_CHECKS
from framework_m.adapters.web.dependencies import Application, CurrentUser
from framework_m.adapters.web.enqueue_api import permitted
from framework_m.adapters.web.errors import BadRequestError
from framework_m.adapters.web.job_query import Wanted, WantedJobs, wanted_jobs
from framework_m.core.access.permissions import Reach, reach_of_jobs
from framework_m.core.jobs.bulk import BulkOutcome

Limit = Annotated[
    int, QueryParameter(ge=1, le=10_000, description="So many at most; newest first.")
]
Everything = Annotated[
    bool, QueryParameter(name="all", description="Has to be true where no filter is given.")
]


class RefusedJob(BaseModel):
    """A job with which it could not be done."""

    job_id: str
    reason: str


class BulkAnswer(BaseModel):
    """What came of it."""

    matched: int = Field(description="Jobs that fitted.")
    done: int
    refused: list[RefusedJob] = Field(description="The first hundred of the others, and why.")
    next_cursor: str | None = Field(
        description="Ask again with it and the same filters for the rest; null at the end."
    )


@post("/cancel", status_code=200, summary="Cancel many jobs", opt=OWN_CHECKS, responses=COMMON)
async def cancel_jobs(
    application: Application,
    wanted: WantedJobs,
    limit: Limit = 1000,
    everything: Everything = False,
) -> BulkAnswer:
    """All that fit and have not ended: those that wait at once, those that run are asked to stop.

    Some at a time: what an error leaves, the same request does.
    """
    if _is_nobodys(wanted, everything):
        return NOTHING
    return _answer(
        await application.jobs.cancel_many(
            everything=True, limit=limit, before=wanted.before, **wanted.filters
        )
    )


@post(
    "/retry",
    status_code=200,
    summary="Run many finished jobs again",
    opt=OWN_CHECKS,
    responses=COMMON,
)
async def retry_jobs(
    application: Application,
    user: CurrentUser,
    wanted: WantedJobs,
    limit: Limit = 1000,
    everything: Everything = False,
) -> BulkAnswer:
    """All that fit, have ended and were not yet run again: asked twice, none runs twice."""
    if _is_nobodys(wanted, everything):
        return NOTHING

    def may_run(name: str) -> None:
        if reach_of_jobs(user) is not Reach.ALL:
            permitted(application, user, name)

    return _answer(
        await application.jobs.retry_many(
            everything=True, limit=limit, before=wanted.before, may_run=may_run, **wanted.filters
        )
    )


@delete(
    "/", status_code=200, summary="Cancel and delete many jobs", opt=OWN_CHECKS, responses=COMMON
)
async def delete_jobs(
    application: Application,
    wanted: WantedJobs,
    limit: Limit = 1000,
    everything: Everything = False,
) -> BulkAnswer:
    """All that fit, with all that they said. Those that run are stopped within a second."""
    if _is_nobodys(wanted, everything):
        return NOTHING
    return _answer(
        await application.jobs.delete_many(
            everything=True, limit=limit, before=wanted.before, **wanted.filters
        )
    )


def router() -> Router:
    return Router(
        "/api/v1/jobs",
        route_handlers=[cancel_jobs, retry_jobs, delete_jobs],
        dependencies={"wanted": wanted_jobs()},
        tags=["jobs"],
    )


def _is_nobodys(wanted: Wanted, everything: bool) -> bool:
    """Whether there can be none. Raises BadRequestError if it is not clear which are meant."""
    wanted.require_known("limit", "cursor", "all")
    if not (everything or wanted.names_some):
        raise BadRequestError("all", "give a filter, or all=true if every job is meant")
    return wanted.is_nobodys


def _answer(outcome: BulkOutcome) -> BulkAnswer:
    return BulkAnswer(
        matched=outcome.matched,
        done=outcome.done,
        refused=[RefusedJob(job_id=it.job_id, reason=it.reason) for it in outcome.refused],
        next_cursor=None if outcome.next is None else outcome.next.encode(),
    )


NOTHING = _answer(BulkOutcome())
