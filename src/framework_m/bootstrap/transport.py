"""What carries jobs to workers: memory, the database, or NATS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework_m.adapters.db.engine import Database
from framework_m.adapters.jobs.database import DatabaseJobQueue
from framework_m.adapters.jobs.in_memory import InMemoryJobQueue
from framework_m.settings import Backend, Settings

if TYPE_CHECKING:
    from pydantic import SecretStr

    from framework_m.adapters.jobs.jetstream_broker import JetStreamBroker
    from framework_m.adapters.nats.connection import NatsConnection, NatsOptions
    from framework_m.adapters.nats.streams import StreamLimits
    from framework_m.core.interfaces.job_queue import JobQueueProtocol
    from framework_m.core.interfaces.job_store import JobStore


@dataclass(frozen=True, slots=True)
class Transport:
    """What carries jobs to workers."""

    queue: JobQueueProtocol
    streams: JetStreamBroker | None = None
    nats: NatsConnection | None = None


def transport(settings: Settings, database: Database, store: JobStore) -> Transport:
    match settings.effective_backend:
        case Backend.NATS:
            return _over_nats(settings, store)
        case Backend.MEMORY:
            return Transport(InMemoryJobQueue(store))
    return Transport(DatabaseJobQueue(database, store, poll_interval=settings.poll_interval))


def _over_nats(settings: Settings, store: JobStore) -> Transport:
    # Only where NATS is used: its client is megabytes that others need not load.
    from framework_m.adapters.jobs.jetstream_broker import JetStreamBroker  # noqa: PLC0415
    from framework_m.adapters.jobs.taskiq_adapter import TaskiqJobQueueAdapter  # noqa: PLC0415
    from framework_m.adapters.nats.connection import NatsConnection  # noqa: PLC0415

    nats = NatsConnection(_nats_options(settings))
    broker = JetStreamBroker(
        nats,
        settings.nats_prefix,
        stream_limits(settings),
        # Delivered sooner it would only meet a live lease, later it would wait for nothing.
        ack_wait=settings.lease,
    )
    return Transport(TaskiqJobQueueAdapter(broker, store), broker, nats)


def stream_limits(settings: Settings) -> StreamLimits:
    from framework_m.adapters.nats.streams import StreamLimits  # noqa: PLC0415 - as above

    return StreamLimits(settings.nats_replicas, settings.nats_in_memory, settings.nats_max_bytes)


def _nats_options(settings: Settings) -> NatsOptions:
    from framework_m.adapters.nats.connection import NatsOptions  # noqa: PLC0415 - as above

    return NatsOptions(
        servers=settings.nats_servers,
        user=settings.nats_user,
        password=_revealed(settings.nats_password),
        token=_revealed(settings.nats_token),
        nkey_seed_file=settings.nats_nkey_seed_file,
        credentials_file=settings.nats_credentials_file,
        tls_ca_file=settings.nats_tls_ca_file,
        tls_certificate_file=settings.nats_tls_certificate_file,
        tls_key_file=settings.nats_tls_key_file,
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def shown_nats(settings: Settings) -> str:
    """The NATS servers for people; empty if this backend uses none."""
    if settings.effective_backend is not Backend.NATS:
        return ""
    return _nats_options(settings).shown()
