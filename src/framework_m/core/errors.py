"""The one error tree. Every error that leaves the framework is one of these.

FrameworkMError
├── ConfigurationError           the program was set up wrongly: fix code or settings
│   ├── ApplicationNotFoundError
│   ├── DuplicateJobError
│   ├── HandlerError             an event handler is declared wrongly
│   ├── DocTypeError             a DocType or its controller is declared wrongly
│   │   ├── DuplicateDocTypeError
│   │   └── UnknownDocTypeError
│   └── SecretKeyError           SECRET_KEY is missing, or not the one that encrypted a secret
├── JobError
│   ├── UnknownJobError
│   ├── ArgumentError
│   ├── ResultError              a job returned what JSON cannot hold
│   ├── JobTimeoutError
│   ├── WorkerDiedError          kept as the error of an attempt
│   ├── PoisonJobError           it killed every worker that ran it
│   ├── JobFailedError           raised by a handle's result(), holds the job's own error
│   ├── JobNotFoundError
│   └── ReusedKeyError           an Idempotency-Key came back with another request
├── DocumentError
│   ├── InvalidDocumentError     fields do not fit; names each
│   ├── NotFoundError
│   ├── DuplicateError
│   ├── ConflictError            somebody saved it in between: load it again
│   ├── LinkError                a link leads nowhere, or something links here
│   └── DocumentStateError       not in this docstatus
├── EventError
│   ├── InvalidEventError        refused at publish; names each field
│   ├── TopicError
│   ├── UndecodableEventError    what arrived is not what the handler takes
│   └── DeadLetterNotFoundError
├── QueryError
│   ├── FilterError
│   └── CursorError
├── AccessError
│   ├── NotAuthenticatedError    who asks is not known
│   └── ForbiddenError           who asks may not do this
├── MigrationError               a revision of the application's own cannot run or be made
├── TransactionFailedError       an error inside it was swallowed: nothing can be committed
└── UnavailableError             a server is away: retry later
    ├── DatabaseUnavailableError
    ├── NatsUnavailableError
    ├── KeySetUnavailableError   whoever signs tokens does not publish the keys
    ├── SchemaOutdatedError
    └── MissingTableError        a DocType has no table yet
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework_m.core.text import nearest_of

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


class HandlerError(ConfigurationError):
    """An event handler is declared in a way that cannot work."""

    def __init__(self, handler: str, reason: str) -> None:
        super().__init__(f"event handler {handler}: {reason}")


class DocTypeError(ConfigurationError):
    """A DocType or its controller is declared in a way that cannot work."""

    def __init__(self, doctype: str, reason: str) -> None:
        super().__init__(f"DocType {doctype}: {reason}")
        self.doctype = doctype
        self.reason = reason


class DuplicateDocTypeError(DocTypeError):
    """Two DocTypes have one name, two have one table, or one has two controllers."""

    def __init__(self, doctype: str, what: str, first: str, second: str) -> None:
        super().__init__(doctype, f"there are two {what}: {first} and {second}")
        self.places = (first, second)


class UnknownDocTypeError(DocTypeError):
    """No DocType of this application has this name."""

    def __init__(self, doctype: str, known: Iterable[str] = ()) -> None:
        nearest = nearest_of(doctype, known)
        hint = f"; did you mean {nearest}?" if nearest else ""
        super().__init__(doctype, f"is not in the application's modules{hint}")


class SecretKeyError(ConfigurationError):
    """A secret cannot be encrypted or decrypted with the SECRET_KEY that is set, or none is."""


class JobError(FrameworkMError):
    """Something about one job or job function."""


class UnknownJobError(JobError):
    """No job function has this name."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        nearest = nearest_of(name, known)
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


class WorkerDiedError(JobError):
    """The worker that ran a job stopped renewing its lease: killed, or cut off. Runs again."""

    def __init__(self, worker: str | None) -> None:
        super().__init__(f"the worker {worker} died, or was cut off, while it ran this")


class PoisonJobError(JobError):
    """A job killed every worker that ran it, also while it ran alone. It does not run again."""

    def __init__(self, crashes: int) -> None:
        super().__init__(f"it ran alone, and its worker died, {crashes} times")


class JobNotFoundError(JobError):
    """No job has this id (or it was deleted)."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job has the id {job_id!r}")
        self.job_id = job_id


class ReusedKeyError(JobError):
    """An Idempotency-Key came back with a request for something else."""


class JobFailedError(JobError):
    """The job whose result was asked for ended without one."""

    def __init__(self, job_id: str, status: str, error: str | None) -> None:
        super().__init__(f"job {job_id} ended {status}: {error or 'no error was recorded'}")
        self.job_id = job_id
        self.status = status
        self.error = error


class DocumentError(FrameworkMError):
    """Something about one document. `name` is None where it has none yet."""

    def __init__(self, doctype: str, name: str | None, reason: str) -> None:
        super().__init__(f"{doctype} {name!r}: {reason}" if name else f"{doctype}: {reason}")
        self.doctype = doctype
        self.name = name


class InvalidDocumentError(DocumentError):
    """Fields hold what cannot be stored; `errors` has one entry per field."""

    def __init__(self, doctype: str, name: str | None, errors: Sequence[FieldError]) -> None:
        super().__init__(doctype, name, "; ".join(f"{e.field}: {e.message}" for e in errors))
        self.errors = tuple(errors)


class NotFoundError(DocumentError):
    """No document has this name (or it was deleted)."""

    def __init__(self, doctype: str, name: str) -> None:
        super().__init__(doctype, name, "does not exist")


class DuplicateError(DocumentError):
    """Another document has the same name, or the same values in `fields`, which must be unique."""

    def __init__(self, doctype: str, name: str | None, fields: Sequence[str]) -> None:
        told = " and ".join(fields) or "these values"
        super().__init__(doctype, name, f"another one has the same {told}")
        self.fields = tuple(fields)


class ConflictError(DocumentError):
    """The document was saved by somebody else since it was loaded."""

    def __init__(self, doctype: str, name: str, ours: int, theirs: int) -> None:
        super().__init__(
            doctype,
            name,
            f"was saved by somebody else: it is at version {theirs}, not {ours}; load it again",
        )
        self.ours = ours
        self.theirs = theirs


class LinkError(DocumentError):
    """A link leads to nothing, or the document cannot go because others link to it."""

    def __init__(self, doctype: str, name: str | None, errors: Sequence[FieldError]) -> None:
        super().__init__(doctype, name, "; ".join(f"{e.field}: {e.message}" for e in errors))
        self.errors = tuple(errors)


class DocumentStateError(DocumentError):
    """The document's docstatus does not allow this."""

    def __init__(self, doctype: str, name: str | None, status: str, wanted: str) -> None:
        super().__init__(doctype, name, f"is {status}: cannot be {wanted}")
        self.status = status


class EventError(FrameworkMError):
    """Something about one event."""


class InvalidEventError(EventError):
    """An event that cannot be published; `errors` has one entry per field."""

    def __init__(self, event_type: str, errors: Sequence[FieldError]) -> None:
        told = "; ".join(f"{error.field}: {error.message}" for error in errors)
        super().__init__(f"event {event_type!r} cannot be published: {told}")
        self.errors = tuple(errors)


class TopicError(EventError):
    """A topic, a pattern of topics or a group has a name that cannot be."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"{topic!r}: {reason}")
        self.topic = topic


class UndecodableEventError(EventError):
    """What arrived cannot be read as what the handler takes. It does not come again."""

    def __init__(self, wanted: str, errors: Sequence[FieldError]) -> None:
        told = "; ".join(f"{error.field}: {error.message}" for error in errors)
        super().__init__(f"is no {wanted}: {told}")
        self.errors = tuple(errors)


class DeadLetterNotFoundError(EventError):
    """No dead letter has this id: it never was, or it was re-driven."""

    def __init__(self, letter_id: str) -> None:
        super().__init__(f"no dead letter has the id {letter_id!r}")
        self.letter_id = letter_id


class QueryError(FrameworkMError):
    """A list of documents was asked for in a way that means nothing."""


class FilterError(QueryError):
    """A filter, an ordering or a search names what is not there or cannot be compared."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.errors = (FieldError(field, reason),)


class CursorError(QueryError):
    """The cursor of a page is damaged, or belongs to another query."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cursor: {reason}")
        self.errors = (FieldError("cursor", reason),)


class AccessError(FrameworkMError):
    """Somebody from outside asked for what is not theirs."""


class NotAuthenticatedError(AccessError):
    """There is no token, or not one that is valid here and now. Which of the two is not said."""


class ForbiddenError(AccessError):
    """The user's roles do not allow it. Never raised about what the user may not even see."""


class MigrationError(FrameworkMError):
    """A migration of the application's own did not run, or cannot be made."""


class TransactionFailedError(FrameworkMError):
    """An error inside the transaction makes its commit impossible; nothing of it was stored.

    What may fail and be caught belongs in `async with tx.nested():`.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            f"the transaction had failed and was rolled back "
            f"({type(cause).__name__}: {cause}); put what may fail into `async with tx.nested():`"
        )


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


class KeySetUnavailableError(UnavailableError):
    """The keys that tokens are checked with (FRAMEWORK_M_JWKS_URL) cannot be fetched."""


class SchemaOutdatedError(UnavailableError):
    """The database's schema is not the one this version needs."""

    def __init__(self, found: str | None, needed: str) -> None:
        state = f"is at revision {found}" if found else "has no schema yet"
        super().__init__(f"the database {state}, this version needs {needed}: run `m migrate`")
        self.found = found
        self.needed = needed


class MissingTableError(UnavailableError):
    """A DocType has no table, or its table lacks a column."""

    def __init__(self, doctype: str, reason: str) -> None:
        super().__init__(
            f"DocType {doctype} is not in the database as it is in the code ({reason}): "
            f"run `m migrate:make -m MESSAGE`, then `m migrate`"
        )
        self.doctype = doctype
