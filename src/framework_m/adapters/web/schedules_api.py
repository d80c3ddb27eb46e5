"""Schedules over HTTP: how they stand, what became of them, run, pause. For System Managers.

Making and changing them is at /resource/ScheduledJob.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.exceptions import ValidationException
from litestar.params import FromPath, FromQuery, QueryParameter
from pydantic import BaseModel, Field

from framework_m.adapters.web.answers import COMMON, job_location, problem
from framework_m.adapters.web.dependencies import Application
from framework_m.adapters.web.enqueue_api import Enqueued
from framework_m.adapters.web.errors import UnfitQueryError, parameter_errors, unfit_query
from framework_m.adapters.web.queries import moment_in_utc, names_in, require_known
from framework_m.core.doctypes.schedule_views import (
    ScheduleFiring,
    ScheduleInfo,
    SchedulePreview,
)
from framework_m.core.doctypes.scheduled_job import ScheduledJob
from framework_m.core.errors import (
    CronError,
    FieldError,
    InvalidDocumentError,
    UnknownJobError,
    UnknownTimeZoneError,
)
from framework_m.core.scheduling.cron import Cron
from framework_m.core.scheduling.timing import zone

Asking = Request[Any, Any, Any]

_NAMED = {**COMMON, 404: problem("No schedule has this name.")}
_LONGEST_PAGE = 1000
_MOST_PREVIEWED = 100
_MEANT = ("cron", "timezone")


class ScheduleList(BaseModel):
    """Every schedule, by name."""

    items: list[ScheduleInfo]


class ScheduleHistory(BaseModel):
    """What became of some due times, newest first."""

    items: list[ScheduleFiring]
    next: datetime | None = Field(
        description="Ask again with it as `before` for the next; null at the end."
    )


@get("/", summary="List schedules", responses=COMMON)
async def list_schedules(application: Application) -> ScheduleList:
    """Each with its next five due times."""
    return ScheduleList(items=list(await application.schedules.list()))


@get("/{name:str}", summary="One schedule", responses=_NAMED)
async def get_schedule(name: FromPath[str], application: Application) -> ScheduleInfo:
    """How it stands. One that is called `preview` is in the list, and at /resource/ScheduledJob."""
    return await application.schedules.get(name)


@post(
    "/{name:str}/run",
    status_code=202,
    summary="Run a schedule's job now",
    responses={
        **_NAMED,
        422: problem("Its function is not known here, or its arguments fit no more."),
    },
)
async def run_schedule(
    name: FromPath[str], application: Application, request: Asking
) -> Response[Enqueued]:
    """Beside its due times, and also where it is paused. The job is of the user who asks."""
    try:
        job = await application.schedules.run(name)
    except UnknownJobError as error:
        errors = [FieldError("function", str(error))]
        raise InvalidDocumentError(ScheduledJob.__name__, name, errors) from error
    said = "an equal job, which is unique, is there already" if job.existed else "was enqueued"
    told = Enqueued(job_id=job, status=await job.status(), message=f"{name}: {said}")
    return Response(told, headers=job_location(request.url.path, job))


@post("/{name:str}/pause", status_code=200, summary="Pause a schedule", responses=_NAMED)
async def pause_schedule(name: FromPath[str], application: Application) -> ScheduleInfo:
    """It fires no more, in any process. What falls due meanwhile is not made up."""
    await application.schedules.pause(name)
    return await application.schedules.get(name)


@post(
    "/{name:str}/resume",
    status_code=200,
    summary="Resume a schedule",
    responses={**_NAMED, 422: problem("What it holds fits no more; `errors` names each field.")},
)
async def resume_schedule(name: FromPath[str], application: Application) -> ScheduleInfo:
    """It fires again, at its next due time."""
    await application.schedules.resume(name)
    return await application.schedules.get(name)


@get("/{name:str}/history", summary="What became of its due times", responses=_NAMED)
async def list_history(
    name: FromPath[str],
    application: Application,
    request: Asking,
    limit: Annotated[int, QueryParameter(ge=1, le=_LONGEST_PAGE)] = 50,
    before: Annotated[
        str | None,
        QueryParameter(format="date-time", description="Due before that; with its offset."),
    ] = None,
) -> ScheduleHistory:
    """Newest first, a page at a time."""
    require_known(names_in(request), ("limit", "before"))
    found = await application.schedules.history(
        name, limit=limit + 1, before=moment_in_utc("before", before)
    )
    items = list(found[:limit])
    return ScheduleHistory(items=items, next=items[-1].due_at if len(found) > limit else None)


def _unfit(request: Asking, error: ValidationException) -> Response[Any]:
    """All that is wrong with a preview's query: what Litestar has found, and what we find."""
    found = parameter_errors(error)
    if "cron" not in request.query_params:
        found.append(FieldError("cron", "is missing"))
    known = {fault.field for fault in found}
    given = {name: request.query_params[name] for name in _MEANT if name in request.query_params}
    found += [fault for fault in _faults(**given) if fault.field not in known]
    return unfit_query(request, UnfitQueryError(found))


@get(
    "/preview",
    summary="What a cron expression means",
    responses={**COMMON, 422: problem("There is no such time; `errors` names each parameter.")},
    exception_handlers={ValidationException: _unfit},
)
async def preview_schedule(
    application: Application,
    request: Asking,
    cron: Annotated[str, QueryParameter(description="As in ScheduledJob's cron_expression.")],
    timezone: FromQuery[str] = "UTC",
    count: Annotated[int, QueryParameter(ge=1, le=_MOST_PREVIEWED)] = 10,
) -> SchedulePreview:
    """In words, and the next due times in that zone."""
    require_known(names_in(request), (*_MEANT, "count"))
    if faults := _faults(cron, timezone):
        raise UnfitQueryError(faults)
    return application.schedules.preview(cron, timezone, count=count)


def router() -> Router:
    return Router(
        "/api/v1/schedules",
        route_handlers=[
            *(list_schedules, preview_schedule, get_schedule),
            *(run_schedule, pause_schedule, resume_schedule, list_history),
        ],
        tags=["schedules"],
    )


def _faults(cron: str | None = None, timezone: str | None = None) -> list[FieldError]:
    faults = []
    try:
        if cron is not None:
            Cron.parse(cron)
    except CronError as error:
        faults.append(FieldError("cron", error.reason))
    try:
        if timezone is not None:
            zone(timezone)
    except UnknownTimeZoneError as error:
        faults.append(FieldError("timezone", str(error)))
    return faults
