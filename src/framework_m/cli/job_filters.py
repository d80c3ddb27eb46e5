"""Which jobs a command is about: the filters that commands about many jobs have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import UsageError, complain

if TYPE_CHECKING:
    from framework_m.app import FrameworkM
    from framework_m.core.interfaces.job_reading import JobFilters
    from framework_m.core.jobs.states import JobStatus

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_A_TIME = "A time, 2026-11-25 or 2026-11-25T12:00+01:00, or so long ago: 30m, 2h, 7d."
All = Annotated[
    bool, Parameter(name="--all", negative=(), help="Every job; where there is no filter.")
]


@Parameter(name="*")
@dataclass(frozen=True)
class FilterOptions:
    """Only jobs that fit all of it."""

    status: Annotated[str | None, Parameter(help="Those in this state.")] = None
    name: Annotated[str | None, Parameter(help="Those of this job function.")] = None
    queue: Annotated[str | None, Parameter(help="Those of this queue.")] = None
    user: Annotated[str | None, Parameter(help="Those of this user.")] = None
    tag: Annotated[str | None, Parameter(help="Those with this tag.")] = None
    schedule: Annotated[str | None, Parameter(help="Those that this schedule enqueued.")] = None
    since: Annotated[str | None, Parameter(help=f"Enqueued then or later. {_A_TIME}")] = None
    until: Annotated[str | None, Parameter(help="Enqueued before that.")] = None

    @property
    def names_some(self) -> bool:
        return self != ANY

    def filters(self) -> JobFilters:
        """Raises UsageError."""
        return {
            "status": _status(self.status),
            "job_name": self.name,
            "queue": self.queue,
            "user_id": self.user,
            "tag": self.tag,
            "schedule": self.schedule,
            "since": moment("--since", self.since),
            "until": moment("--until", self.until),
        }

    def hint(self, app: FrameworkM) -> None:
        """Nothing was found: say so if the name is none. Its jobs might have been there, though."""
        from framework_m.core.errors import UnknownJobError  # noqa: PLC0415 - seldom wanted

        if self.name is not None and app.registry.find(self.name) is None:
            known = [job.name for job in app.registry]
            complain(str(UnknownJobError(self.name, known)))


ANY = FilterOptions()


def _status(text: str | None) -> JobStatus | None:
    from framework_m.core.jobs.states import JobStatus  # noqa: PLC0415 - `m --help` does without

    if text is None:
        return None
    for status in JobStatus:
        if status.value.lower() == text.lower():
            return status
    raise UsageError(f"--status {text}: use one of {', '.join(JobStatus)}")


def moment(option: str, text: str | None) -> datetime | None:
    """A time without an offset is one of this machine's clock."""
    if text is None:
        return None
    try:
        if text[-1:] in _UNITS and text[:-1].isdecimal():
            return datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{option} {text}: give a time, or a span such as 30m, 2h, 7d") from error
