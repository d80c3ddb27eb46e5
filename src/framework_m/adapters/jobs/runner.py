"""JobRunner: from a claim to an outcome, through taskiq's middlewares and receiver."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from taskiq import TaskiqMessage, TaskiqResult
from taskiq.exceptions import NoResultError, TaskRejectedError

from framework_m.adapters.jobs.calls import in_the_loop
from framework_m.adapters.jobs.middlewares import Middlewares
from framework_m.adapters.jobs.running import RunningJob, now_running
from framework_m.adapters.jobs.taskiq_labels import labels_of_run
from framework_m.core.causes import Cause, follow
from framework_m.core.errors import JobFailedError, UnknownJobError
from framework_m.core.identity import become
from framework_m.core.jobs import execution
from framework_m.core.jobs.cancellation import ON_REQUEST
from framework_m.core.jobs.context import JobContext
from framework_m.core.jobs.control import Cancel, Discard, Snooze
from framework_m.core.jobs.run_log import RunLog, listen_to_logging

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from framework_m.adapters.jobs.calls import JobThreads
    from framework_m.adapters.jobs.completion import Recorder
    from framework_m.adapters.jobs.ports import WorkerPorts
    from framework_m.adapters.jobs.processes.pool import JobProcesses
    from framework_m.adapters.jobs.run import Run
    from framework_m.core.interfaces.job_store import FinishedRun
    from framework_m.core.jobs.registry import RegisteredJob

    RunTarget = Callable[
        [RegisteredJob, Callable[..., Awaitable[Any]], TaskiqMessage], Awaitable[TaskiqResult[Any]]
    ]

_AT_ONCE = 0.001


class JobRunner:
    """Runs jobs for one worker, in the event loop, in threads, or in processes."""

    def __init__(
        self,
        ports: WorkerPorts,
        recorder: Recorder,
        threads: JobThreads,
        processes: JobProcesses,
        run_target: RunTarget,
    ) -> None:
        """run_target: taskiq's way to run a function, with its dependencies."""
        self._ports = ports
        self._recorder = recorder
        self._threads = threads
        self._processes = processes
        self._run_target = run_target
        self._middlewares = Middlewares(ports.broker)

    async def outcome(self, run: Run) -> FinishedRun:
        """What became of the run. What a middleware raises becomes of it, too."""
        claim = run.delivery.claim
        job = self._ports.registry.find(claim.job_name)
        if job is None:
            return execution.parked(claim, UnknownJobError(claim.job_name))
        if run.cancellation.is_requested:  # before it began
            return execution.raised(job, claim, Cancel(ON_REQUEST))
        running = RunningJob(claim, self._recorder)
        now_running(running)
        try:
            if job.executor == "process":
                return await self._in_a_process(job, run)
            return await self._here(job, run, running)
        except (Exception, asyncio.CancelledError, SystemExit) as error:  # noqa: BLE001 - theirs
            return execution.raised(job, claim, run.cancellation.meant_by(error))

    async def recorded(self, run: Run) -> None:
        """Its outcome is committed."""
        if run.told is not None:
            await self._middlewares.saved(*run.told)

    async def _here(self, job: RegisteredJob, run: Run, running: RunningJob) -> FinishedRun:
        claim = run.delivery.claim
        values = job.arguments.load(claim.args)
        context = self._enter(run)
        message = await self._middlewares.before(self._message(run, values))
        own = job.arguments.context_parameter
        target = _noting_its_end(self._target(job, run), run, {} if own is None else {own: context})
        result = await self._run_target(job, target, message)
        run.is_over = True
        await self._middlewares.after(message, result)
        if not isinstance(result.error, NoResultError):
            run.told = message, result
        if running.is_requeued and isinstance(result.error, NoResultError):
            return execution.raised(job, claim, Snooze(after=_AT_ONCE))
        return _outcome_of(job, run, result)

    async def _in_a_process(self, job: RegisteredJob, run: Run) -> FinishedRun:
        """The process makes the outcome. Middlewares see it, and cannot change it."""
        claim = run.delivery.claim
        self._act_as(run)
        message = await self._middlewares.before(self._message(run, json.loads(claim.args)))
        started = asyncio.get_running_loop().time()
        outcome = await self._processes.run(job, claim, run.cancellation)
        run.is_over = True
        result = _result_of(outcome, asyncio.get_running_loop().time() - started, message)
        run.told = message, result
        if result.error is not None:
            await self._middlewares.failed(message, result, result.error)
        await self._middlewares.after(message, result)
        return outcome

    def _message(self, run: Run, values: dict[str, Any]) -> TaskiqMessage:
        claim = run.delivery.claim
        known = self._ports.broker.find_task(claim.job_name)
        labels = labels_of_run({} if known is None else known.labels, claim)
        return TaskiqMessage.model_construct(
            task_id=claim.job_id, task_name=claim.job_name, labels=labels, args=[], kwargs=values
        )

    def _act_as(self, run: Run) -> None:
        claim = run.delivery.claim
        become(claim.user)
        follow(Cause(claim.job_id, claim.cause.correlation_id, claim.cause.trace_context))

    def _enter(self, run: Run) -> JobContext:
        """From here on this context is the job's: it acts, logs and enqueues as the job."""
        claim = run.delivery.claim
        log = RunLog(claim, self._recorder, self._ports.log_lines)
        listen_to_logging(log)
        self._act_as(run)
        context = JobContext(claim, log, self._recorder, self._ports.services, run.cancellation)
        self._ports.broker.run_dependencies.set({JobContext: context})
        return context

    def _target(self, job: RegisteredJob, run: Run) -> Callable[..., Awaitable[Any]]:
        if job.executor == "async":
            return in_the_loop(job)
        claim = run.delivery.claim
        return self._threads.call(job, claim, run.cancellation, lambda: run.unwanted)


def _noting_its_end(
    target: Callable[..., Awaitable[Any]], run: Run, given: dict[str, Any]
) -> Callable[..., Awaitable[Any]]:
    """What it returned stands, however long its dependencies then take to be closed.

    given: arguments that are none of the message's.
    """

    async def noted(*args: Any, **kwargs: Any) -> Any:
        try:
            return await target(*args, **kwargs, **given)
        finally:
            run.is_over = True

    return noted


def _outcome_of(job: RegisteredJob, run: Run, result: TaskiqResult[Any]) -> FinishedRun:
    claim = run.delivery.claim
    match result.error:
        case None:
            return execution.succeeded(job, claim, result.return_value)
        case NoResultError():
            return execution.succeeded(job, claim, None)
        case TaskRejectedError():
            return execution.raised(job, claim, Discard("rejected by its function"))
    return execution.raised(job, claim, run.cancellation.meant_by(result.error))


def _result_of(outcome: FinishedRun, seconds: float, message: TaskiqMessage) -> TaskiqResult[Any]:
    error = None
    if outcome.error is not None:
        error = JobFailedError(outcome.job_id, outcome.status, outcome.error)
    return TaskiqResult(
        is_err=error is not None,
        return_value=None if outcome.result is None else json.loads(outcome.result),
        execution_time=round(seconds, 2),
        error=error,
        labels=message.labels,
    )
