"""Which jobs a request is about: the filters that every request about many jobs has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter, SkipValidationMarker

from framework_m.adapters.web.errors import BadRequestError
from framework_m.adapters.web.queries import moment, names_in, require_known
from framework_m.core.access.permissions import Reach, reach_of_jobs
from framework_m.core.identity import User
from framework_m.core.interfaces.job_reading import JobCursor, JobFilters
from framework_m.core.jobs.states import JobStatus

FILTERS = ("status", "job_name", "queue", "user", "tag", "schedule", "since", "until")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The jobs that a user means, as far as they may be seen."""

    query: tuple[str, ...]
    """The names of the parameters as they were given."""
    filters: JobFilters
    before: JobCursor | None
    is_nobodys: bool
    """They are somebody else's: for this user there are none."""

    def require_known(self, *others: str) -> None:
        """Raises BadRequestError for a parameter that is neither a filter nor one of the others."""
        require_known(self.query, (*FILTERS, *others), what="filter")

    @property
    def names_some(self) -> bool:
        """Whether the request has a filter."""
        return not set(FILTERS).isdisjoint(self.query)


WantedJobs = Annotated[NamedDependency[Wanted], SkipValidationMarker()]


def wanted_jobs() -> Provide:
    return Provide(_wanted, sync_to_thread=False)


def _wanted(
    request: Request[User, Any, Any],
    status: FromQuery[JobStatus | None] = None,
    job_name: FromQuery[str | None] = None,
    queue: FromQuery[str | None] = None,
    of_user: Annotated[str | None, QueryParameter(name="user")] = None,
    tag: FromQuery[str | None] = None,
    schedule: Annotated[
        str | None, QueryParameter(description="The schedule that enqueued it.")
    ] = None,
    since: Annotated[
        str | None,
        QueryParameter(format="date-time", description="Enqueued then or later; with its offset."),
    ] = None,
    until: Annotated[
        str | None,
        QueryParameter(format="date-time", description="Enqueued before that; with its offset."),
    ] = None,
    cursor: FromQuery[str | None] = None,
) -> Wanted:
    user = request.user
    if status is None and "status" in request.query_params:
        # Litestar takes the word `null` for None: what leaves some jobs out would mean any.
        raise BadRequestError("status", "is not a status")
    everybodys = reach_of_jobs(user) is Reach.ALL
    return Wanted(
        query=names_in(request),
        filters={
            "status": status,
            "job_name": job_name,
            "queue": queue,
            "user_id": of_user if everybodys else user.id,
            "tag": tag,
            "schedule": schedule,
            "since": moment("since", since),
            "until": moment("until", until),
        },
        before=None if cursor is None else JobCursor.decode(cursor),
        is_nobodys=not everybodys and of_user not in (None, user.id),
    )
