"""What a worker works with, and what it is called."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework_m.core.interfaces.job_store import ClaimTerms

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta

    from framework_m.adapters.jobs.broker import JobBroker
    from framework_m.core.interfaces.job_queue import JobQueueProtocol
    from framework_m.core.interfaces.job_store import JobStore
    from framework_m.core.interfaces.worker_store import WorkerStore
    from framework_m.core.jobs.context import JobServices
    from framework_m.core.jobs.queue_order import QueueOrder
    from framework_m.core.jobs.queue_states import QueueStates
    from framework_m.core.jobs.registry import JobRegistry
    from framework_m.core.outbox.relay import Relay


@dataclass(frozen=True, slots=True)
class WorkerPorts:
    """Everything that workers of one application share. Durations in seconds."""

    registry: JobRegistry
    store: JobStore
    queue: JobQueueProtocol
    broker: JobBroker
    """The application's own."""
    relay: Relay
    services: JobServices
    """What jobs find in their context."""
    lease_store: Callable[[], AbstractAsyncContextManager[JobStore]]
    """Opens a store with a connection of its own, in whichever event loop asks."""
    lease: timedelta
    stop_grace: float
    sweep_interval: float
    concurrency: int
    max_rescues: int
    log_lines: int
    job_processes: int
    queue_states: QueueStates
    worker_store: WorkerStore
    heartbeat_interval: float
    order: QueueOrder
    """What a worker serves that is not told otherwise."""

    def terms(self, queues: tuple[str, ...], name: str | None = None) -> ClaimTerms:
        """The terms of one new worker, under that name or one of its own."""
        return ClaimTerms(name or worker_id(), queues, self.lease)


def worker_id() -> str:
    """Names one worker for as long as it lives: host, process, and a few random digits."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
