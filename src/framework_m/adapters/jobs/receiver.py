"""JobReceiver: taskiq's receiver, claiming in batches and recording before it acknowledges.

taskiq runs the function (middlewares, dependencies, threads); what to run and what came of it is
decided by claims. Faults of taskiq's own loop (0.13) that this one does not have: any listen
error ends the worker, messages that are unknown or unparsable are acknowledged and gone, failed
ones too, and prefetched messages are stranded by a graceful stop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from taskiq import TaskiqMessage
from taskiq.receiver import Receiver

from framework_m.adapters.jobs.broker import JobBrokerMixin
from framework_m.adapters.jobs.calls import JobThreads, in_the_loop
from framework_m.adapters.jobs.completion import Recorder
from framework_m.adapters.jobs.leases import LeaseKeeper
from framework_m.adapters.jobs.processes.pool import JobProcesses
from framework_m.adapters.jobs.rotation import Turns
from framework_m.adapters.jobs.telling import outcome_line
from framework_m.core.causes import Cause, follow
from framework_m.core.errors import (
    ArgumentError,
    ConfigurationError,
    UnavailableError,
    UnknownJobError,
)
from framework_m.core.identity import become
from framework_m.core.jobs import execution
from framework_m.core.jobs.cancellation import ON_REQUEST, Cancellation
from framework_m.core.jobs.context import JobContext
from framework_m.core.jobs.control import Cancel
from framework_m.core.jobs.rescue import is_suspect
from framework_m.core.jobs.run_log import RunLog, listen_to_logging
from framework_m.core.outage import Outage
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from framework_m.core.interfaces.job_queue import Delivery
    from framework_m.core.interfaces.job_store import ClaimTerms, FinishedRun, Watched
    from framework_m.core.jobs.queue_order import QueueOrder
    from framework_m.core.jobs.registry import RegisteredJob

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 500
"""Jobs that one claim takes: others have their share, and no statement grows without bound."""
_AFTER_CANCEL = 5.0
"""How long a cancelled job may take to clean up."""


@dataclass(slots=True)
class _Run:
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


class JobReceiver(Receiver):
    """Receives for one worker. Its broker must be a JobBroker."""

    def __init__(
        self,
        broker: Any,
        executor: Executor | None = None,
        *,
        max_async_tasks: int | None = None,
        order: QueueOrder | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(broker, JobBrokerMixin):
            raise ConfigurationError("JobReceiver needs the broker of a FrameworkM application")
        self._ports = broker.ports
        self._capacity = max_async_tasks or broker.ports.concurrency
        options["validate_params"] = False  # arguments come parsed from the claim
        super().__init__(broker, executor, max_async_tasks=self._capacity, **options)
        order = order or broker.ports.order
        self._terms = broker.ports.terms(order.queues, name)
        self._turns = Turns(self._terms, order, self._ports.queue_states)
        self._runs: dict[str, _Run] = {}
        self.begun = 0
        """How many runs it has begun so far."""
        self._slot_freed = Wakeup()
        self._recorder = Recorder(self._ports.store, self._ports.queue, self._ports.relay)
        self._leases = LeaseKeeper(self._ports.lease_store, self._terms, self._noticed)
        self._threads = JobThreads(self.executor, self._capacity, self._slot_freed.call)
        self._processes = JobProcesses(
            self._ports.registry,
            self._recorder,
            limit=self._ports.job_processes,
            log_lines=self._ports.log_lines,
        )

    @property
    def terms(self) -> ClaimTerms:
        """Who it is, and what it serves."""
        return self._terms

    @property
    def is_busy(self) -> bool:
        """Whether it has jobs in work."""
        return bool(self._runs)

    @property
    def slot_freed(self) -> Wakeup:
        """Called when a run has ended."""
        return self._slot_freed

    def _prepare_task(self, name: str, handler: Callable[..., Any]) -> None:
        """What taskiq does; a dependency that cannot be resolved is told in our words."""
        try:
            super()._prepare_task(name, handler)
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            raise ConfigurationError(
                f"job {name!r}: its dependencies cannot be resolved ({told})"
            ) from error

    async def listen(self, finish_event: asyncio.Event) -> None:
        """Run jobs until `finish_event`, then stop gracefully."""
        if self.run_startup:
            await self.broker.startup()
        self._recorder.start()
        self._leases.start()
        watcher = asyncio.create_task(self._interrupt_on(finish_event))
        try:
            async with self._ports.queue_states.followed(self._look_again):
                await self._claim_until(finish_event)
            await self._ports.queue.leave(self._terms)
            await self._finish_running()
        finally:
            watcher.cancel()
            await self._processes.close()
            await self._recorder.close()
            await self._leases.close()
        if self.on_exit is not None:
            self.on_exit(self)

    async def _claim_until(self, stop: asyncio.Event) -> None:
        outage = Outage("worker")
        while not stop.is_set():
            seen = self._slot_freed.calls
            free = self._capacity - len(self._runs) - len(self._threads.left)
            terms = self._turns.next() if free > 0 else None
            if terms is None:
                if free > 0:  # all is paused
                    await self._ports.queue.leave(self._terms)
                await self._slot_freed.wait_beyond(seen, 60)
                continue
            try:
                deliveries = await self._ports.queue.claim(terms, min(free, _MOST_AT_ONCE))
            except UnavailableError as error:
                await outage.wait(error, stop)
                continue
            except Exception as error:
                # Whatever it is, ending the worker would not mend it.
                logger.exception("claiming jobs failed")
                await outage.wait(error, stop)
                continue
            outage.over()
            await self._begin(deliveries, stop)

    async def _interrupt_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._look_again()

    def _look_again(self) -> None:
        self._ports.queue.interrupt()
        self._slot_freed.call()

    async def _begin(self, deliveries: Sequence[Delivery], stop: asyncio.Event) -> None:
        suspects = []
        for delivery in deliveries:
            run = self._hold(delivery)
            if is_suspect(delivery.claim):
                suspects.append(run)
            else:
                self._start(run)
        for run in suspects:
            await self._run_alone(run, stop)

    def _hold(self, delivery: Delivery) -> _Run:
        claim = delivery.claim
        self._leases.hold(claim.job_id, claim.claim_no)
        run = self._runs[claim.job_id] = _Run(delivery)
        self.begun += 1
        return run

    def _start(self, run: _Run) -> None:
        name = f"job {run.delivery.claim.job_id}"
        run.runner = asyncio.create_task(self._run(run), name=name)

    async def _run_alone(self, run: _Run, stop: asyncio.Event) -> None:
        """With nothing else at work in this process: if it dies, this job is to blame."""
        await self._until(lambda: run.unwanted or not self._is_busy(), stop)
        if stop.is_set() or run.unwanted or not await self._noted_alone(run, stop):
            return
        job_id = run.delivery.claim.job_id
        logger.warning("%s runs alone: it was there when workers died", job_id)
        self._start(run)
        await self._until(lambda: not self._is_busy(), stop)

    def _is_busy(self) -> bool:
        return any(run.runner is not None for run in self._runs.values())

    async def _until(self, done: Callable[[], bool], stop: asyncio.Event) -> None:
        while not done() and not stop.is_set():
            await self._slot_freed.wait_beyond(self._slot_freed.calls, 60)

    async def _noted_alone(self, run: _Run, stop: asyncio.Event) -> bool:
        """Whether that it runs alone was noted; not at `stop`, nor if its claim was lost."""
        outage = Outage("worker")
        while not stop.is_set():
            try:
                noted = await self._ports.store.start_alone(run.delivery.claim)
            except UnavailableError as error:
                await outage.wait(error, stop)
                continue
            if not noted:
                self._let_go([run])
            return noted
        return False

    async def _run(self, run: _Run) -> None:
        claim = run.delivery.claim
        run.has_begun, began = True, time.monotonic()
        try:
            outcome = await self._outcome(run)
            run.is_over, took = True, time.monotonic() - began
            if not run.unwanted:
                await self._recorder.finish(outcome, run.delivery)
                logger.info("%s", outcome_line(claim, outcome, took))
        except Exception:
            # Ours, not the job's: the lease lapses and the job is rescued.
            logger.exception("%s %s: no outcome", claim.job_name, claim.job_id)
        finally:
            self._take_out(run)

    async def _outcome(self, run: _Run) -> FinishedRun:
        claim = run.delivery.claim
        job = self._ports.registry.find(claim.job_name)
        if job is None:
            return execution.parked(claim, UnknownJobError(claim.job_name))
        if run.cancellation.is_requested:  # before it began
            return execution.raised(job, claim, Cancel(ON_REQUEST))
        if job.executor == "process":
            return await self._processes.run(job, claim, run.cancellation)
        try:
            values = job.arguments.load(claim.args)
        except ArgumentError as error:
            return execution.failed(job, claim, error)
        context = self._enter(run)
        if job.arguments.context_parameter is not None:
            values[job.arguments.context_parameter] = context
        message = TaskiqMessage.model_construct(
            task_id=claim.job_id, task_name=claim.job_name, labels={}, args=[], kwargs=values
        )
        return await self._execute(job, run, message)

    def _enter(self, run: _Run) -> JobContext:
        """From here on this context is the job's: it acts, logs and enqueues as the job."""
        claim = run.delivery.claim
        log = RunLog(claim, self._recorder, self._ports.log_lines)
        listen_to_logging(log)
        become(claim.user)
        follow(Cause(claim.job_id, claim.cause.correlation_id, claim.cause.trace_context))
        context = JobContext(claim, log, self._recorder, self._ports.services, run.cancellation)
        self._ports.broker.run_dependencies.set({JobContext: context})
        return context

    async def _execute(self, job: RegisteredJob, run: _Run, message: TaskiqMessage) -> FinishedRun:
        claim = run.delivery.claim
        if job.executor == "async":
            target = in_the_loop(job)
        else:
            target = self._threads.call(job, claim, run.cancellation, lambda: run.unwanted)
        result = await self.run_task(_noting_its_end(target, run), message)
        if result.error is not None:
            return execution.raised(job, claim, run.cancellation.meant_by(result.error))
        return execution.succeeded(job, claim, result.return_value)

    async def _finish_running(self) -> None:
        """Let running jobs end within the grace; give the others back, at once."""
        if self._runs:
            logger.info("stopping: %d jobs may end within the grace", len(self._runs))
        await self._wait_for_runs(self._ports.stop_grace)
        left = list(self._runs.values())
        if not left:
            return
        logger.warning("stopping: %d jobs go back to the queue unfinished", len(left))
        deaf = frozenset(self._threads.left)
        self._cancel(left)
        until = asyncio.get_running_loop().time() + _AFTER_CANCEL
        await self._wait_for_runs(_AFTER_CANCEL)
        # Threads that notice do not overlap with the next run of their job.
        await self._threads.wait(until - asyncio.get_running_loop().time(), but=deaf)
        deliveries = [run.delivery for run in left]
        try:
            await self._ports.store.release([delivery.claim for delivery in deliveries])
            await self._ports.queue.give_back(deliveries)
        except UnavailableError as error:
            logger.warning("could not give jobs back (%s): they wait for their lease", error)

    async def _wait_for_runs(self, seconds: float) -> None:
        runners = [run.runner for run in self._runs.values() if run.runner is not None]
        if runners:
            await asyncio.wait(runners, timeout=seconds)

    def _noticed(self, watched: Watched) -> None:
        if lost := self._held_here(watched.lost):
            logger.error("lost the claims of %s: cancelled here", sorted(watched.lost))
            self._let_go(lost)
        if deleted := self._held_here(watched.deleted):
            logger.info("deleted while they ran: %s", ", ".join(sorted(watched.deleted)))
            self._let_go(deleted)
        for run in self._held_here(watched.cancelled):
            run.cancel()

    def _held_here(self, job_ids: Iterable[str]) -> list[_Run]:
        return [self._runs[job_id] for job_id in job_ids if job_id in self._runs]

    def _let_go(self, lost: list[_Run]) -> None:
        """What they hold is somebody else's now."""
        for run in lost:
            self._ports.queue.forget(run.delivery)
        self._cancel(lost)
        for run in lost:
            if run.runner is None:  # it never began, so nothing else would take it out
                self._take_out(run)

    def _take_out(self, run: _Run) -> None:
        claim = run.delivery.claim
        self._leases.drop(claim.job_id, claim.claim_no)
        if self._runs.get(claim.job_id) is run:
            del self._runs[claim.job_id]
        self._slot_freed.call()

    def _cancel(self, runs: list[_Run]) -> None:
        for run in runs:
            run.unwanted = True
            run.cancellation.request("its worker stops, or has lost it")
            run.interrupt()


def _noting_its_end(
    target: Callable[..., Awaitable[Any]], run: _Run
) -> Callable[..., Awaitable[Any]]:
    """What it returned stands, however long its dependencies then take to be closed."""

    async def noted(**kwargs: Any) -> Any:
        try:
            return await target(**kwargs)
        finally:
            run.is_over = True

    return noted
