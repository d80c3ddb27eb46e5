"""Run: one job that this worker runs now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from framework_m.core.jobs.cancellation import ON_REQUEST, Cancellation

if TYPE_CHECKING:
    from taskiq import TaskiqMessage, TaskiqResult

    from framework_m.core.interfaces.job_queue import Delivery


@dataclass(slots=True)
class Run:
    """One job that this worker runs now."""

    delivery: Delivery
    cancellation: Cancellation = field(default_factory=Cancellation)
    unwanted: bool = False
    """Cancelled by the worker itself: stopping, or its claim was lost."""
    runner: asyncio.Task[None] | None = None
    has_begun: bool = False
    """Its runner has taken its first step. Interrupted before, it would never take itself out."""
    is_over: bool = False
    """Its function has ended; only its outcome is still to be recorded."""
    told: tuple[TaskiqMessage, TaskiqResult[Any]] | None = None
    """What taskiq's middlewares have seen of it, once it has ended."""

    def cancel(self) -> None:
        """Somebody asked for it: once, and then its function decides what it does about it."""
        if self.is_over or self.cancellation.is_requested:
            return
        self.cancellation.request(ON_REQUEST)
        self.interrupt()

    def interrupt(self) -> None:
        """One that is about to begin sees by its cancellation that it is not wanted."""
        if self.runner is not None and self.has_begun:
            self.runner.cancel()
