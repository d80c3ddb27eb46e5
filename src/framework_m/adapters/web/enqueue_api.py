"""Enqueueing over HTTP: only what is declared for it, for whom it is declared, and only once."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, Router, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody
from pydantic import BaseModel, ConfigDict, Field

from framework_m.adapters.web.answers import COMMON, LIMITED, WITH_BODY, problem
from framework_m.adapters.web.auth import OWN_CHECKS, application_of
from framework_m.adapters.web.errors import BadRequestError
from framework_m.core.access.permissions import may_enqueue, reach_of_jobs, reaches
from framework_m.core.causes import Cause, caused_by, traceparent
from framework_m.core.errors import JobFailedError, JobNotFoundError, UnknownJobError
from framework_m.core.identity import User
from framework_m.core.interfaces.replays import Asked
from framework_m.core.jobs.control import LONGEST_WAIT
from framework_m.core.jobs.handle import JobHandle
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    from framework_m.core.interfaces.application import ApplicationProtocol
    from framework_m.core.jobs.function import JobRequest

_LONGEST_KEY = 255


class EnqueueRequest(BaseModel):
    """A run that is asked for."""

    model_config = ConfigDict(extra="forbid")

    job_name: str = Field(description="The name of a job function that may be asked for here.")
    args: dict[str, Any] = Field(default_factory=dict, description="Its arguments, by name.")
    delay: float = Field(
        0, ge=0, le=LONGEST_WAIT.total_seconds(), description="Seconds to wait first."
    )
    queue: str | None = Field(
        None,
        max_length=64,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Another than the function's: one that is known, as in GET /queues.",
    )
    unique_key: str | None = Field(
        None,
        min_length=1,
        max_length=_LONGEST_KEY,
        description="While a job of yours with this key is there, asking again gives that one.",
    )
    wait: float = Field(0, ge=0, description="Seconds to wait for the result; bounded here.")

    def digest(self) -> str:
        """The same for requests that ask for the same run."""
        # As before there was a queue to choose: requests may come again across a deploy.
        absent = {"queue"} if self.queue is None else set()
        asked = self.model_dump(mode="json", exclude={"wait", *absent})
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


class Enqueued(BaseModel):
    """A run that was accepted."""

    job_id: str
    status: JobStatus
    message: str


class Ended(Enqueued):
    """A run that ended while the request waited."""

    result: Any = None
    error: str | None = None


@post(
    "/",
    status_code=202,
    summary="Enqueue a job",
    opt=OWN_CHECKS,
    responses={
        200: ResponseSpec(Ended, description="It ended in time.", generate_examples=False),
        **COMMON,
        **WITH_BODY,
        **LIMITED,
        422: problem(
            "No such job for this user, its arguments do not fit, or the Idempotency-Key was "
            "used for something else; `errors` names each."
        ),
    },
)
async def enqueue(
    request: Request[User, Any, Any],
    data: JSONBody[EnqueueRequest],
    trace_header: Annotated[str | None, HeaderParameter(name="traceparent")] = None,
    idempotency_header: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            description="Sent again within 24 hours, the request leads to the same job.",
        ),
    ] = None,
) -> Response[Enqueued]:
    """The job is committed when this answers, and runs at least once."""
    application, user = application_of(request), request.user
    function = permitted(application, user, data.job_name)
    # Within what is the user's own: a key tells nothing of other people's jobs.
    await _require_known(application, data.queue)
    wanted = function.options(
        delay=data.delay, queue=data.queue, unique_key=data.unique_key
    ).unique_to(user.id)

    async def ask() -> JobHandle[Any]:
        with caused_by(Cause(trace_context=traceparent(trace_header))):
            return await application.jobs.enqueue(wanted, **data.args)

    if idempotency_header is None:
        job_id: str = await ask()
    else:
        asked = Asked(user.id, _checked(idempotency_header), data.digest())
        job_id = await application.replays.once(asked, ask)
    location = {"Location": f"{request.url.path.rstrip('/')}/{job_id}"}
    ended = await _ended(application, user, str(job_id), data.wait)
    if ended is not None:
        return Response(ended, status_code=200, headers=location)
    return Response(await _accepted(application, data, job_id), headers=location)


def router() -> Router:
    return Router("/api/v1/jobs", route_handlers=[enqueue], tags=["jobs"])


def permitted(application: ApplicationProtocol, user: User, name: str) -> JobRequest[..., Any]:
    """Raises UnknownJobError, also for a job that this user may not ask for."""
    registry = application.jobs.registry
    found = registry.find(name)
    if found is None or not may_enqueue(user, found.function.defaults):
        known = [job.name for job in registry if may_enqueue(user, job.function.defaults)]
        raise UnknownJobError(name, known)
    return found.function


async def _require_known(application: ApplicationProtocol, queue: str | None) -> None:
    """Nobody would serve a queue that is misspelt, and its job would wait for ever."""
    if queue is None or queue in application.jobs.registry.queues:
        return
    if await application.queues.get(queue) is None:
        raise BadRequestError("queue", "is not known: see GET /queues")


def _checked(key: str) -> str:
    if not 0 < len(key) <= _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise BadRequestError("Idempotency-Key", f"must be 1 to {_LONGEST_KEY} ASCII characters")
    return key


async def _accepted(
    application: ApplicationProtocol, data: EnqueueRequest, job_id: str
) -> Enqueued:
    status = JobStatus.SCHEDULED if data.delay else JobStatus.QUEUED
    if not (isinstance(job_id, JobHandle) and job_id.existed):
        told = f"{data.job_name} was enqueued"
        return Enqueued(job_id=job_id, status=status, message=told)
    job = await application.jobs.get(job_id)
    told = f"{data.job_name} is there already: this is the one"
    return Enqueued(job_id=job_id, status=job.status if job else status, message=told)


async def _ended(
    application: ApplicationProtocol, user: User, job_id: str, wait: float
) -> Ended | None:
    """How it ended, if it did in time and is this user's to know.

    A unique job may be somebody else's: it ran with their rights, so its result is theirs.
    """
    timeout = min(wait, application.web_options.longest_wait)
    job = await application.jobs.get(job_id) if timeout else None
    if job is None or not reaches(reach_of_jobs(user), user, job.user_id):
        return None
    try:
        with contextlib.suppress(JobFailedError):
            await application.jobs.handle(job_id).result(timeout)
    except (TimeoutError, JobNotFoundError):
        return None
    job = await application.jobs.get(job_id)
    if job is None:
        return None
    return Ended(
        job_id=job_id,
        status=job.status,
        message=f"{job.job_name} has ended",
        result=job.result,
        error=job.error,
    )
