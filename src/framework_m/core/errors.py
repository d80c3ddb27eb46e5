"""The one error tree. Every error that leaves the framework is one of these.

FrameworkMError
├── ConfigurationError           the program was set up wrongly: fix code or settings
│   ├── ApplicationNotFoundError
│   └── DuplicateJobError
├── JobError
│   ├── UnknownJobError
│   ├── ArgumentError
│   ├── ResultError              a job returned what JSON cannot hold
│   ├── JobTimeoutError
│   ├── JobFailedError           raised by a handle's result(), holds the job's own error
│   └── JobNotFoundError
└── UnavailableError             a server is away: retry later
    ├── DatabaseUnavailableError
    ├── NatsUnavailableError
    └── SchemaOutdatedError
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class FrameworkMError(Exception):
    """Base of all errors that Framework M raises."""


class ConfigurationError(FrameworkMError):
    """The application or its settings are wrong; retrying does not help."""


class ApplicationNotFoundError(ConfigurationError):
    """The application path cannot be found or imported."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot load the application {path!r}: {reason}")
        self.path = path
        self.reason = reason


class DuplicateJobError(ConfigurationError):
    """Two job functions have one name."""

    def __init__(self, name: str, first: str, second: str) -> None:
        super().__init__(
            f"two job functions are named {name!r}: {first} and {second}; "
            f"rename one, or give it a name with @job(name=…)"
        )
        self.name = name
        self.places = (first, second)


class JobError(FrameworkMError):
    """Something about one job or job function."""


class UnknownJobError(JobError):
    """No job function has this name."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        nearest = _nearest(name, known)
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"no job function is named {name!r}{hint}")
        self.name = name
        self.nearest = nearest


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that does not fit, and why."""

    field: str
    message: str


class ArgumentError(JobError):
    """Arguments do not fit the job function; `errors` has one entry per argument."""

    def __init__(self, job: str, errors: Sequence[FieldError]) -> None:
        told = "; ".join(f"{error.field}: {error.message}" for error in errors)
        super().__init__(f"arguments do not fit job {job!r}: {told}")
        self.job = job
        self.errors = tuple(errors)


class ResultError(JobError):
    """A job returned a value that cannot be stored as JSON."""

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(f"job {job!r} returned a value that JSON cannot hold: {reason}")


class JobTimeoutError(JobError):
    """A job ran longer than its timeout."""

    def __init__(self, job: str, seconds: float) -> None:
        super().__init__(f"job {job!r} ran longer than its timeout of {seconds:g} s")
        self.seconds = seconds


class JobNotFoundError(JobError):
    """No job has this id (or it was deleted)."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job has the id {job_id!r}")
        self.job_id = job_id


class JobFailedError(JobError):
    """The job whose result was asked for ended without one."""

    def __init__(self, job_id: str, status: str, error: str | None) -> None:
        super().__init__(f"job {job_id} ended {status}: {error or 'no error was recorded'}")
        self.job_id = job_id
        self.status = status
        self.error = error


class UnavailableError(FrameworkMError):
    """A server that the framework needs does not answer; the same call may work later."""


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database is not available: {reason}")


class NatsUnavailableError(UnavailableError):
    """NATS, or its JetStream, does not answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"NATS is not available: {reason}")


class SchemaOutdatedError(UnavailableError):
    """The database's schema is not the one this version needs."""

    def __init__(self, found: str | None, needed: str) -> None:
        state = f"is at revision {found}" if found else "has no schema yet"
        super().__init__(f"the database {state}, this version needs {needed}: run `m migrate`")
        self.found = found
        self.needed = needed


def _nearest(name: str, known: Iterable[str]) -> str | None:
    import difflib  # noqa: PLC0415 - wanted only when a name was mistyped

    matches = difflib.get_close_matches(name, list(known), n=1)
    return matches[0] if matches else None
