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
│   ├── JobProcessDiedError      a crash of a job that runs in a process of its own
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
├── CronError                    no cron expression, or one that is never due
├── UnknownTimeZoneError
├── AccessError
│   ├── NotAuthenticatedError    who asks is not known
│   └── ForbiddenError           who asks may not do this
├── WebhookError
│   ├── WebhookSecretError       a text that cannot be a secret
│   ├── WebhookVerificationError what was received is not from who has the secret
│   └── EgressError              a request that was to leave came to nothing
│       ├── EgressRefusedError   its URL, address or headers are not allowed: nothing was sent
│       ├── EgressTimeoutError
│       └── EgressFailedError    no connection, or no answer that is one
├── MigrationError               a revision of the application's own cannot run or be made
├── TransactionFailedError       an error inside it was swallowed: nothing can be committed
└── UnavailableError             a server is away: retry later
    ├── DatabaseUnavailableError
    │   └── LockTimeoutError     somebody's transaction holds what is needed
    ├── NatsUnavailableError
    ├── KeySetUnavailableError   whoever signs tokens does not publish the keys
    ├── SchemaOutdatedError
    └── MissingTableError        a DocType has no table yet

Owns: every error that leaves the framework, and nothing else.
May import: core.text.
Must not touch: anything that raises them.
Invariants: errors say what was wrong, where, and what to do; no secret is in them (12).
"""

from framework_m.core.errors.access import AccessError, ForbiddenError, NotAuthenticatedError
from framework_m.core.errors.base import (
    ApplicationNotFoundError,
    ConfigurationError,
    FieldError,
    FrameworkMError,
    MigrationError,
    SecretKeyError,
    TransactionFailedError,
    UnavailableError,
)
from framework_m.core.errors.documents import (
    ConflictError,
    CursorError,
    DocTypeError,
    DocumentError,
    DocumentStateError,
    DuplicateDocTypeError,
    DuplicateError,
    FilterError,
    InvalidDocumentError,
    LinkError,
    NotFoundError,
    QueryError,
    UnknownDocTypeError,
)
from framework_m.core.errors.events import (
    DeadLetterNotFoundError,
    EventError,
    HandlerError,
    InvalidEventError,
    TopicError,
    UndecodableEventError,
)
from framework_m.core.errors.jobs import (
    ArgumentError,
    DuplicateJobError,
    JobEndedError,
    JobError,
    JobExistsError,
    JobFailedError,
    JobNotEndedError,
    JobNotFoundError,
    JobProcessDiedError,
    JobTimeoutError,
    PoisonJobError,
    ResultError,
    ReusedKeyError,
    UnknownJobError,
    WorkerDiedError,
)
from framework_m.core.errors.schedules import CronError, UnknownTimeZoneError
from framework_m.core.errors.unavailable import (
    DatabaseUnavailableError,
    KeySetUnavailableError,
    LockTimeoutError,
    MissingTableError,
    NatsUnavailableError,
    SchemaOutdatedError,
)
from framework_m.core.errors.webhooks import (
    EgressError,
    EgressFailedError,
    EgressRefusedError,
    EgressTimeoutError,
    WebhookError,
    WebhookSecretError,
    WebhookVerificationError,
)

__all__ = [
    "AccessError",
    "ApplicationNotFoundError",
    "ArgumentError",
    "ConfigurationError",
    "ConflictError",
    "CronError",
    "CursorError",
    "DatabaseUnavailableError",
    "DeadLetterNotFoundError",
    "DocTypeError",
    "DocumentError",
    "DocumentStateError",
    "DuplicateDocTypeError",
    "DuplicateError",
    "DuplicateJobError",
    "EgressError",
    "EgressFailedError",
    "EgressRefusedError",
    "EgressTimeoutError",
    "EventError",
    "FieldError",
    "FilterError",
    "ForbiddenError",
    "FrameworkMError",
    "HandlerError",
    "InvalidDocumentError",
    "InvalidEventError",
    "JobEndedError",
    "JobError",
    "JobExistsError",
    "JobFailedError",
    "JobNotEndedError",
    "JobNotFoundError",
    "JobProcessDiedError",
    "JobTimeoutError",
    "KeySetUnavailableError",
    "LinkError",
    "LockTimeoutError",
    "MigrationError",
    "MissingTableError",
    "NatsUnavailableError",
    "NotAuthenticatedError",
    "NotFoundError",
    "PoisonJobError",
    "QueryError",
    "ResultError",
    "ReusedKeyError",
    "SchemaOutdatedError",
    "SecretKeyError",
    "TopicError",
    "TransactionFailedError",
    "UnavailableError",
    "UndecodableEventError",
    "UnknownDocTypeError",
    "UnknownJobError",
    "UnknownTimeZoneError",
    "WebhookError",
    "WebhookSecretError",
    "WebhookVerificationError",
    "WorkerDiedError",
]
