"""WorkerReceiver: the application's worker, run by taskiq's own command.

    taskiq worker shop.app:broker --receiver framework_m.adapters.jobs.taskiq_worker:WorkerReceiver

It does what `m worker` does, sweeps, leases, event handlers and all; taskiq starts the processes,
starts them again when they die, and tells them to stop.
"""

from __future__ import annotations

import logging
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver

from framework_m.adapters.jobs.broker import JobBroker
from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.queue_order import QueueOrder

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

_NOTHING = (None, 0, False)


class WorkerReceiver(Receiver):
    """Runs a worker of the broker's application. taskiq's base receives nothing here."""

    def __init__(  # super().__init__ prepares for receiving messages
        self,
        broker: Any,
        executor: Executor | None = None,
        *,
        max_async_tasks: int | None = None,
        wait_tasks_timeout: float | None = None,
        on_exit: Callable[[Receiver], None] | None = None,
        run_startup: bool = True,
        queues: str | None = None,
        strict: str = "false",
        **options: Any,
    ) -> None:
        """What taskiq's command gives; `queues` and `strict` come by `--receiver_arg`.

        max_async_tasks: jobs at once; 0 is no limit.
        wait_tasks_timeout: seconds that running jobs may take to end at a stop.
        queues: as `m worker --queues` takes it.
        strict: "true": a queue is served only while those before it have nothing ready.

        Raises ConfigurationError.
        """
        if not isinstance(broker, JobBroker) or broker.host is None:
            raise ConfigurationError(
                f"{type(self).__name__} needs the broker of a FrameworkM application: app.broker"
            )
        self.broker = broker
        self.on_exit = on_exit
        self._host = broker.host
        self._order = _order(queues, strict)
        self._settings = _settings(max_async_tasks, wait_tasks_timeout)
        ignored = list(_ignored(executor, options))
        if ignored:
            logger.warning("these options change nothing here: %s", "; ".join(ignored))

    async def listen(self, finish_event: asyncio.Event) -> None:
        """Run jobs until `finish_event`, then stop gracefully. Waits for the database first."""
        if self._host.is_open:
            told = ", ".join(self._settings) or "nothing"
            logger.warning("the application is open already, and keeps its settings: %s", told)
        else:
            self._host.change_settings(**self._settings)
        await self._host.run_worker(finish_event, self._order)
        await finish_event.wait()  # a worker that ends by itself would be started again by taskiq
        if self.on_exit is not None:
            self.on_exit(self)


def _settings(concurrency: int | None, grace: float | None) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if concurrency is not None:
        settings["concurrency"] = concurrency if concurrency > 0 else None
    if grace is not None:
        settings["stop_grace"] = grace
    return settings


def _order(queues: str | None, strict: str) -> QueueOrder | None:
    if strict.lower() not in ("true", "false"):
        raise ConfigurationError(f"--receiver_arg strict={strict}: must be true or false")
    is_strict = strict.lower() == "true"
    if queues is not None:
        return QueueOrder.parse(queues, strict=is_strict)
    if is_strict:
        raise ConfigurationError("--receiver_arg strict=true needs queues=…, too")
    return None


def _ignored(executor: Executor | None, options: dict[str, Any]) -> Iterator[str]:
    """What was asked for and cannot be had, with what there is instead."""
    told = {
        "max_prefetch": "--max-prefetch (a worker takes no more than it can run)",
        "max_async_tasks_jitter": "--max-async-tasks-jitter",
        "max_tasks_to_execute": "--max-tasks-per-child",
    }
    given = dict(options)
    if not given.pop("validate_params", True):
        yield "--no-parse (arguments are always checked)"
    if not given.pop("propagate_exceptions", True):
        yield "--no-propagate-errors"
    if given.pop("ack_type", None) not in (None, AcknowledgeType.WHEN_SAVED):
        yield "--ack-type (a job's message is acknowledged when its outcome is recorded)"
    for option, value in given.items():
        if option not in told:
            raise ConfigurationError(f"--receiver_arg {option}: known are queues and strict")
        if value not in _NOTHING:
            yield told[option]
    yield from _ignored_executor(executor)


def _ignored_executor(executor: Executor | None) -> Iterator[str]:
    if executor is None:
        return
    if not isinstance(executor, ThreadPoolExecutor):
        yield '--use-process-pool (write @job(executor="process"))'
    elif executor._max_workers != ThreadPoolExecutor()._max_workers:
        yield "--max-threadpool-threads (there is a thread for each job that runs)"
