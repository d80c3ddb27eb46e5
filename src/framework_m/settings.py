"""Typed configuration, read from the environment (design §6).

`DATABASE_URL`, `NATS_URL` and `SECRET_KEY` have their customary names; everything else is
`FRAMEWORK_M_*`. Values given in code (`FrameworkM(settings=Settings(…))`) win over the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from framework_m.core.errors import ConfigurationError
from framework_m.core.interfaces.application import WebOptions
from framework_m.core.jobs.keeping import KeepDays
from framework_m.core.jobs.queue_order import QueueOrder
from framework_m.core.jobs.states import JobStatus

PREFIX = "FRAMEWORK_M_"
CUSTOMARY_VARIABLES = frozenset({"DATABASE_URL", "NATS_URL", "SECRET_KEY"})
"""Read under the names that everybody gives them, without the prefix."""

UNLIMITED = "unlimited"

DEFAULT_DATABASE_URL = "sqlite+aiosqlite:///framework_m.db"

MADE_INTO_PARTS = frozenset(
    (
        *("job_retries", "job_timeout", "event_retries", "event_concurrency"),
        *("body_limit", "cors_origins", "allowed_hosts"),
        *("sign_in_limit", "enqueue_limit", "longest_wait"),
        "schedule_floor",
    )
)
"""What registries and the web application are made of, which outlive an opening."""

PositiveSeconds = Annotated[float, Field(gt=0)]


class Backend(StrEnum):
    """What carries jobs and events between processes."""

    AUTO = "auto"
    MEMORY = "memory"
    DATABASE = "database"
    NATS = "nats"


class Settings(BaseSettings):
    """Everything that can be set from outside. Durations are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        validate_by_name=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,  # a wrong URL may hold a password
    )

    database_url: SecretStr = Field(
        SecretStr(DEFAULT_DATABASE_URL),
        validation_alias="DATABASE_URL",
        description="SQLAlchemy URL of a SQLite file or a PostgreSQL database.",
    )
    database_schema: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="PostgreSQL schema that holds the tables; the server's default if not set.",
    )
    database_pool_size: int = Field(10, ge=1, description="Pooled connections per process.")

    backend: Backend = Field(
        Backend.AUTO, description="auto, memory, database or nats; auto is nats if NATS_URL is set."
    )

    nats_url: SecretStr | None = Field(
        None,
        validation_alias="NATS_URL",
        description="NATS servers, separated by commas: nats://host:4222 or tls://host:4222.",
    )
    nats_prefix: str = Field(
        "framework",
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="Begins the names of streams and subjects: one per environment.",
    )
    nats_user: str | None = None
    nats_password: SecretStr | None = None
    nats_token: SecretStr | None = None
    nats_nkey_seed_file: FilePath | None = None
    nats_credentials_file: FilePath | None = None
    nats_tls_ca_file: FilePath | None = None
    nats_tls_certificate_file: FilePath | None = None
    nats_tls_key_file: FilePath | None = None
    nats_replicas: int = Field(1, ge=1, le=5, description="Copies of each stream in a cluster.")
    nats_in_memory: bool = Field(False, description="Streams in memory: gone with the server.")
    nats_max_bytes: int | None = Field(
        None, ge=1, description="Largest size of each stream but the jobs'."
    )

    secret_key: SecretStr | None = Field(
        None,
        min_length=16,
        validation_alias="SECRET_KEY",
        description="A long random text; keys that encrypt secrets are derived from it.",
    )
    secret_key_fallbacks: tuple[SecretStr, ...] = Field(
        (), description="Former secret keys, which still decrypt: a JSON list."
    )

    migrations: Path = Field(
        Path("migrations"),
        description="Folder of the application's migrations; beside its modules if relative.",
    )
    migrations_table: str = Field(
        "application_version",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="Table that remembers which of them have run.",
    )

    job_timeout: PositiveSeconds = Field(300, description="Default time limit of one attempt.")
    job_retries: int = Field(3, ge=0, description="Default number of retries after a failure.")
    lease: PositiveSeconds = Field(
        10, ge=1, description="How long a worker owns a job without renewing it."
    )
    max_rescues: int = Field(
        3, ge=1, description="A job whose worker died that often while it ran alone is Failed."
    )
    job_log_lines: int = Field(
        10_000, ge=0, description="Lines that are kept of what one run logs."
    )
    event_source: str = Field(
        "framework_m", min_length=1, description="What events say they are from: a URI reference."
    )
    event_retries: int = Field(
        5, ge=0, description="How often a group is offered an event again after an error."
    )
    event_concurrency: int = Field(
        100, ge=1, description="Events that one handler of a group has in work per worker."
    )
    event_retention_days: float = Field(
        7, gt=0, description="How long events are kept for replay, and for groups that are away."
    )
    event_limit: int = Field(
        500_000, ge=100, description="Largest data of one event, in characters of JSON."
    )
    job_events: bool = Field(
        True, description="Whether an event is published when a job has ended: job.succeeded …"
    )
    keep_success_days: KeepDays = Field(
        7, description="How long jobs that succeeded are kept after their end, or forever."
    )
    keep_failed_days: KeepDays = Field(
        30, description="How long jobs that failed are kept after their end, or forever."
    )
    keep_cancelled_days: KeepDays = Field(
        7, description="How long cancelled jobs are kept after their end, or forever."
    )
    keep_schedule_days: KeepDays = Field(
        30, description="How long it is kept what became of schedules' due times, or forever."
    )
    schedule_floor: PositiveSeconds = Field(
        1, description="The least time between two due times that a schedule may have."
    )
    schedule_grace: PositiveSeconds = Field(
        10, description="How late a due time may be that needs no catching up."
    )
    own_schedules: bool = Field(
        True, description="Whether the framework's own schedules are there: the pruning of jobs."
    )
    queues: str | None = Field(
        None,
        description="What a worker serves, as in critical:4,default:2; all that functions name.",
    )
    strict_queues: bool = Field(
        False, description="Whether that is a strict order, the most important queue first."
    )
    concurrency: int | None = Field(
        50,
        ge=1,
        le=1_000_000,
        description="Jobs that one worker process runs at once, or unlimited: all that are due.",
    )
    health_port: int | None = Field(
        None, ge=0, le=65535, description="Where a worker answers /health; nowhere if not set."
    )
    health_host: str = Field(
        "127.0.0.1", description="The address of that port; 0.0.0.0 for all of the machine's."
    )
    job_processes: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Processes of one worker that run jobs with executor='process'; as many as "
        "there are processors if not set.",
    )
    heartbeat_interval: PositiveSeconds = Field(
        5, description="How often a worker tells that it lives; missed three times, it is lost."
    )
    stop_grace: float = Field(
        30, ge=0, description="How long a stopping worker lets running jobs finish."
    )
    poll_interval: PositiveSeconds = Field(
        1, description="Longest wait before a worker looks for jobs without having been woken."
    )
    sweep_interval: PositiveSeconds = Field(
        2, description="How often lost work is looked for: lapsed leases, undispatched jobs."
    )

    jwt_issuer: str | None = Field(None, description="The `iss` that bearer tokens must have.")
    jwt_audience: str | None = Field(None, description="The `aud` that bearer tokens must have.")
    jwt_roles_claim: str = Field("roles", min_length=1, description="The claim that lists roles.")
    jwks_url: str | None = Field(
        None,
        description="Where the keys of whoever signs tokens are: then only those count, and "
        "SECRET_KEY signs none.",
    )
    jwt_algorithms: tuple[Literal["RS256", "ES256"], ...] = Field(
        ("RS256", "ES256"), min_length=1, description="With jwks_url: the ones that count."
    )
    session_lifetime: PositiveSeconds = Field(
        43_200, description="How long a browser's session lasts, at most."
    )

    cors_origins: tuple[str, ...] = Field(
        (), description="Whose pages may use the API from a browser: https://shop.example."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="The names the server goes by, *.shop.example among them; any if not set."
    )
    sign_in_limit: int = Field(
        20, ge=0, description="Sessions opened a minute from one address, per process; 0 is any."
    )
    enqueue_limit: int = Field(
        1000, ge=0, description="Jobs enqueued over HTTP a minute by one user, per process."
    )
    longest_wait: float = Field(
        30, ge=0, description="How long a request may wait for the job it has enqueued."
    )
    body_limit: int = Field(1_000_000, ge=1, description="Largest HTTP request body accepted.")

    @field_validator("concurrency", mode="before")
    @classmethod
    def _any_number(cls, value: object) -> object:
        if isinstance(value, str) and value.strip().lower() == UNLIMITED:
            return None
        return value

    @field_validator("jwks_url")
    @classmethod
    def _keys_come_safely(cls, value: str | None) -> str | None:
        if value is not None and not _is_safe(value):
            raise ValueError("must begin with https:// (http:// on a loopback address only)")
        return value

    @field_validator("database_url")
    @classmethod
    def _supported_driver(cls, value: SecretStr) -> SecretStr:
        return SecretStr(normalized_database_url(value.get_secret_value()))

    @model_validator(mode="after")
    def _queues_make_sense(self) -> Self:
        if self.strict_queues and self.queues is None:
            raise ValueError("strict_queues needs queues: there is no order without them")
        try:
            _ = self.queue_order
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def web_options(self) -> WebOptions:
        """Those that are about HTTP."""
        return WebOptions(
            body_limit=self.body_limit,
            trusted_origins=self.cors_origins,
            allowed_hosts=self.allowed_hosts,
            sign_in_limit=self.sign_in_limit,
            enqueue_limit=self.enqueue_limit,
            longest_wait=self.longest_wait,
        )

    @property
    def keeping(self) -> Mapping[JobStatus, KeepDays]:
        """How many days jobs are kept after their end, by how they ended."""
        return {
            JobStatus.SUCCESS: self.keep_success_days,
            JobStatus.FAILED: self.keep_failed_days,
            JobStatus.CANCELLED: self.keep_cancelled_days,
        }

    @property
    def queue_order(self) -> QueueOrder | None:
        """What workers serve, and how these queues take turns; None is every queue, equally."""
        if self.queues is None:
            return None
        return QueueOrder.parse(self.queues, strict=self.strict_queues)

    @model_validator(mode="after")
    def _schema_needs_postgresql(self) -> Self:
        if self.database_schema and not self.uses_postgresql:
            raise ValueError("database_schema is for PostgreSQL only")
        return self

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The one that encrypts, if it is set, and those that only decrypt."""
        current = () if self.secret_key is None else (self.secret_key,)
        return tuple(key.get_secret_value() for key in (*current, *self.secret_key_fallbacks))

    @property
    def uses_postgresql(self) -> bool:
        return self.database_url.get_secret_value().startswith("postgresql")

    @model_validator(mode="after")
    def _nats_needs_a_server(self) -> Self:
        if self.backend is Backend.NATS and not self.nats_servers:
            raise ValueError("the backend nats needs NATS_URL")
        return self

    @property
    def effective_backend(self) -> Backend:
        """`auto` resolved."""
        if self.backend is not Backend.AUTO:
            return self.backend
        return Backend.DATABASE if self.nats_url is None else Backend.NATS

    @property
    def nats_servers(self) -> tuple[str, ...]:
        """The servers that `nats_url` names."""
        text = self.nats_url.get_secret_value() if self.nats_url else ""
        return tuple(part for part in (part.strip() for part in text.split(",")) if part)


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")


def normalized_database_url(url: str) -> str:
    """The URL with the asynchronous driver we use; users may leave the driver out."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ValueError("is not a URL; write sqlite:///file.db or postgresql://user@host/name")
    match scheme:
        case "sqlite" | "sqlite+aiosqlite":
            if rest in ("", "/", "/:memory:") or ":memory:" in rest or "mode=memory" in rest:
                raise ValueError("an in-memory SQLite cannot be shared by connections: use a file")
            return f"sqlite+aiosqlite://{rest}"
        case "postgresql" | "postgres" | "postgresql+asyncpg":
            return f"postgresql+asyncpg://{rest}"
    raise ValueError(f"{scheme} is not supported; use sqlite or postgresql")
