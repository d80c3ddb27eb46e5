"""Inside such a process: one job after the other, on the main thread."""

from __future__ import annotations

import contextvars
import faulthandler
import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

from framework_m.adapters.jobs.processes.frames import (
    Message,
    claim_from,
    framed,
    line_message,
    outcome_message,
    receive,
    report_message,
)
from framework_m.adapters.jobs.processes.lifeline import die_with_worker, end_all
from framework_m.adapters.jobs.processes.services import NoServices
from framework_m.core.causes import Cause, follow
from framework_m.core.errors import ArgumentError, ConfigurationError
from framework_m.core.identity import become
from framework_m.core.jobs import execution
from framework_m.core.jobs.built_in import BUILT_IN
from framework_m.core.jobs.cancellation import Cancellation
from framework_m.core.jobs.context import JobContext
from framework_m.core.jobs.registry import JobRegistry
from framework_m.core.jobs.run_log import RunLog, listen_to_logging, logging_heard

if TYPE_CHECKING:
    from framework_m.core.interfaces.job_store import (
        Claim,
        FinishedRun,
        LogLine,
        ProgressReport,
    )
    from framework_m.core.jobs.registry import RegisteredJob

_PROGRESS_INTERVAL = 0.1
_BROKEN = 1


def main(control: int, lifeline: int) -> int:
    """Until the worker ends it."""
    die_with_worker(lifeline)
    faulthandler.enable()  # where a crash was, on stderr
    _leave_stopping_to_the_worker()
    worker = _Worker(control)
    opening = worker.receive()
    sys.path[:] = opening["path"]
    logging.getLogger().setLevel(opening["level"])
    try:
        registry = _registry(opening)
    except ConfigurationError as error:
        worker.send({"broken": execution.summary(error)})
        return _BROKEN
    worker.send({"ready": True})
    with logging_heard():
        while True:
            claim = claim_from(worker.receive())
            # A context of its own for each: who acts, and whose lines are whose.
            outcome = contextvars.copy_context().run(_run, registry, claim, worker, opening)
            worker.flush()
            worker.send(outcome_message(outcome))


def _leave_stopping_to_the_worker() -> None:
    """A service's SIGTERM goes to all of its processes; jobs may end within the worker's grace.

    With a handler, not ignored: what is ignored stays so in the programs that a job starts.
    """
    signal.signal(signal.SIGTERM, lambda *_: None)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def _registry(opening: Message) -> JobRegistry:
    registry = JobRegistry(
        default_retries=opening["default_retries"],
        default_timeout=opening["default_timeout"],
        built_in=BUILT_IN,
    )
    registry.discover(opening["modules"])
    return registry


def _run(registry: JobRegistry, claim: Claim, worker: _Worker, opening: Message) -> FinishedRun:
    job = registry.get(claim.job_name)
    log = RunLog(claim, worker, opening["log_lines"])
    listen_to_logging(log)
    become(claim.user)
    follow(Cause(claim.job_id, claim.cause.correlation_id, claim.cause.trace_context))
    context = JobContext(claim, log, worker, NoServices(job.name), Cancellation())
    return _outcome(job, claim, context)


def _outcome(job: RegisteredJob, claim: Claim, context: JobContext) -> FinishedRun:
    try:
        values = job.arguments.load(claim.args)
    except ArgumentError as error:
        return execution.failed(job, claim, error)
    if job.arguments.context_parameter is not None:
        values[job.arguments.context_parameter] = context
    try:
        returned = job.function.function(**values)
    except BaseException as error:  # noqa: BLE001 - SystemExit too is this job's end, not ours
        return execution.raised(job, claim, error)
    return execution.succeeded(job, claim, returned)


class _Worker:
    """The worker, as seen from here. What is said to it may come from any thread."""

    def __init__(self, control: int) -> None:
        self._connection = socket.socket(fileno=control)
        self._connection.set_inheritable(False)
        self._pid = os.getpid()
        self._sending = threading.Lock()
        self._reporting = threading.Lock()
        self._report: ProgressReport | None = None
        self._progress = threading.Event()
        threading.Thread(target=self._keep_reporting, name="progress", daemon=True).start()

    def receive(self) -> Message:
        try:
            return receive(self._connection)
        except (EOFError, OSError):
            end_all()  # the worker is gone

    def send(self, message: Message) -> None:
        if os.getpid() == self._pid:  # not from a fork that a job made: it has a lock of its own
            with self._sending:
                self._connection.sendall(framed(message))

    def say(self, line: LogLine) -> None:
        """At once: the last words before a crash are the ones that matter."""
        self.send(line_message(line))

    def report(self, report: ProgressReport) -> None:
        """Only the latest counts, and is sent a few times a second."""
        self._report = report
        self._progress.set()

    def flush(self) -> None:
        """Returns when what was reported before is sent: no outcome overtakes it."""
        with self._reporting:
            report, self._report = self._report, None
            if report is not None:
                self.send(report_message(report))

    def _keep_reporting(self) -> None:
        while True:
            self._progress.wait()
            self._progress.clear()
            self.flush()
            time.sleep(_PROGRESS_INTERVAL)
