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
from typing import TYPE_CHECKING, Any

from taskiq.receiver import Receiver

from framework_m.adapters.jobs.calls import JobThreads
from framework_m.adapters.jobs.completion import Recorder
from framework_m.adapters.jobs.leases import LeaseKeeper
from framework_m.adapters.jobs.processes.pool import JobProcesses
from framework_m.adapters.jobs.rotation import Turns
from framework_m.adapters.jobs.run import Run
from framework_m.adapters.jobs.runner import JobRunner
from framework_m.adapters.jobs.telling import outcome_line
from framework_m.core.errors import ConfigurationError, UnavailableError
from framework_m.core.jobs.rescue import is_suspect
from framework_m.core.outage import Outage
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from taskiq import TaskiqMessage, TaskiqResult

    from framework_m.adapters.jobs.ports import WorkerPorts
    from framework_m.core.interfaces.job_queue import Delivery
    from framework_m.core.interfaces.job_store import ClaimTerms, Watched
    from framework_m.core.jobs.queue_order import QueueOrder
    from framework_m.core.jobs.registry import RegisteredJob

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 500
"""Jobs that one claim takes: others have their share, and no statement grows without bound."""
_AFTER_CANCEL = 5.0
"""How long a cancelled job may take to clean up."""


class JobReceiver(Receiver):
    """Receives for one worker of an application. taskiq's command wants a WorkerReceiver."""

    def __init__(
        self,
        ports: WorkerPorts,
        executor: Executor | None = None,
        *,
        order: QueueOrder | None = None,
        name: str | None = None,
    ) -> None:
        self._ports = ports
        self._capacity = ports.concurrency
        super().__init__(
            ports.broker,
            executor,
            max_async_tasks=self._capacity,
            validate_params=False,  # arguments come parsed from the claim
        )
        order = order or ports.order
        self._terms = ports.terms(order.queues, name)
        self._turns = Turns(self._terms, order, self._ports.queue_states)
        self._runs: dict[str, Run] = {}
        self.begun = 0
        """How many runs it has begun so far."""
        self._closing = asyncio.Event()
        """Set when it is to begin nothing more."""
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
        self._runner = JobRunner(
            ports, self._recorder, self._threads, self._processes, self._run_target
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

    async def _run_target(
        self, job: RegisteredJob, target: Callable[..., Any], message: TaskiqMessage
    ) -> TaskiqResult[Any]:
        """taskiq's way to run a function; the target is that function, wrapped."""
        if job.name not in self.known_tasks:  # declared after this worker began
            self._prepare_task(job.name, job.function.function)
        return await self.run_task(target, message)

    def drain(self) -> None:
        """Begin nothing more, and end after what runs, however long that takes."""
        logger.info("draining: %d jobs may take the time they need", len(self._runs))
        self._closing.set()
        self._look_again()

    async def listen(self, finish_event: asyncio.Event) -> None:
        """Run jobs until `finish_event`, then stop gracefully; or until it is drained."""
        self._recorder.start()
        self._leases.start()
        watcher = asyncio.create_task(self._interrupt_on(finish_event))
        try:
            async with self._ports.queue_states.followed(self._look_again):
                await self._claim_until(self._closing)
            await self._ports.queue.leave(self._terms)
            await self._give_back_unbegun()
            await self._until(lambda: not self._is_busy(), finish_event)
            await self._finish_running()
        finally:
            watcher.cancel()
            await self._processes.close()
            await self._recorder.close()
            await self._leases.close()

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
        self._closing.set()
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

    def _hold(self, delivery: Delivery) -> Run:
        claim = delivery.claim
        self._leases.hold(claim.job_id, claim.claim_no)
        run = self._runs[claim.job_id] = Run(delivery)
        self.begun += 1
        return run

    def _start(self, run: Run) -> None:
        name = f"job {run.delivery.claim.job_id}"
        run.runner = asyncio.create_task(self._run(run), name=name)

    async def _run_alone(self, run: Run, stop: asyncio.Event) -> None:
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

    async def _noted_alone(self, run: Run, stop: asyncio.Event) -> bool:
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

    async def _run(self, run: Run) -> None:
        claim = run.delivery.claim
        run.has_begun, began = True, time.monotonic()
        try:
            outcome = await self._runner.outcome(run)
            run.is_over, took = True, time.monotonic() - began
            if not run.unwanted:
                kept = await self._recorder.finish(outcome, run.delivery)
                self._leases.drop(claim.job_id, claim.claim_no)  # it is no longer ours to lose
                logger.info("%s", outcome_line(claim, outcome, took))
                if kept:
                    await self._runner.recorded(run)
        except Exception:
            # Ours, not the job's: the lease lapses and the job is rescued.
            logger.exception("%s %s: no outcome", claim.job_name, claim.job_id)
        finally:
            self._take_out(run)

    async def _finish_running(self) -> None:
        """Let running jobs end within the grace; give the others back, at once."""
        if self._runs:
            logger.info("stopping: %d jobs may end within the grace", len(self._runs))
        is_ours = self._ports.registry.is_built_in
        ours = {
            job_id: run
            for job_id, run in self._runs.items()
            if is_ours(run.delivery.claim.job_name) and not run.is_over
        }
        self._cancel(list(ours.values()))  # they lose nothing by it, and need no grace
        await self._wait_for_runs(self._ports.stop_grace)
        left = list({**ours, **self._runs}.values())
        if not left:
            return
        logger.warning("stopping: %d jobs go back to the queue unfinished", len(left))
        deaf = frozenset(self._threads.left)
        self._cancel(left)
        until = asyncio.get_running_loop().time() + _AFTER_CANCEL
        await self._wait_for_runs(_AFTER_CANCEL)
        # Threads that notice do not overlap with the next run of their job.
        await self._threads.wait(until - asyncio.get_running_loop().time(), but=deaf)
        await self._give_back(left)

    async def _give_back_unbegun(self) -> None:
        """Those that were to run alone, at once: what runs may take long, and they need not wait."""
        unbegun = [run for run in self._runs.values() if run.runner is None]
        for run in unbegun:
            self._take_out(run)
        if unbegun:
            await self._give_back(unbegun)

    async def _give_back(self, runs: Sequence[Run]) -> None:
        deliveries = [run.delivery for run in runs]
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

    def _held_here(self, job_ids: Iterable[str]) -> list[Run]:
        return [self._runs[job_id] for job_id in job_ids if job_id in self._runs]

    def _let_go(self, lost: list[Run]) -> None:
        """What they hold is somebody else's now."""
        for run in lost:
            self._ports.queue.forget(run.delivery)
        self._cancel(lost)
        for run in lost:
            if run.runner is None:  # it never began, so nothing else would take it out
                self._take_out(run)

    def _take_out(self, run: Run) -> None:
        claim = run.delivery.claim
        self._leases.drop(claim.job_id, claim.claim_no)
        if self._runs.get(claim.job_id) is run:
            del self._runs[claim.job_id]
        self._slot_freed.call()

    def _cancel(self, runs: list[Run]) -> None:
        for run in runs:
            run.unwanted = True
            run.cancellation.request("its worker stops, or has lost it")
            run.interrupt()
