"""Records what runs did and said: outcomes, progress, lines; in batches, one writer per worker."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.core import clock
from framework_m.core.errors import UnavailableError
from framework_m.core.interfaces.job_store import Dispatch
from framework_m.core.jobs import execution
from framework_m.core.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Callable

    from framework_m.core.interfaces.job_queue import Delivery, JobQueueProtocol
    from framework_m.core.interfaces.job_store import FinishedRun, JobStore, LogLine, ProgressReport
    from framework_m.core.outbox.relay import Relay

logger = logging.getLogger(__name__)

_BATCH = 500
_PROGRESS_INTERVAL = 0.2
_LAST_TRY_AFTER = 10.0

_Told = tuple[Sequence["ProgressReport"], Sequence["LogLine"]]
_Finished = tuple["FinishedRun", "Delivery", "asyncio.Future[bool]"]


class Recorder:
    """While one batch commits the next gathers, so that the batch grows with the load.

    Commit first, acknowledge after, never the other way round (invariant 4). An outage of the
    database delays outcomes and loses none: they wait here until it is back.
    """

    def __init__(self, store: JobStore, queue: JobQueueProtocol, relay: Relay) -> None:
        self._store = store
        self._queue = queue
        self._relay = relay
        self._finished: list[_Finished] = []
        self._progress: dict[str, ProgressReport] = {}
        self._lines: list[LogLine] = []
        self._home = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._work = asyncio.Event()
        self._closing = asyncio.Event()
        self._give_up = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._outage = Outage("outcomes")
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._writer = asyncio.create_task(self._run(), name="job-outcomes")

    async def close(self) -> None:
        """Write what is left, then stop. With the database away, give up after some seconds."""
        self._closing.set()
        self._work.set()
        if self._writer is None:
            return
        last_try = asyncio.get_running_loop().call_later(_LAST_TRY_AFTER, self._give_up.set)
        await self._writer
        last_try.cancel()

    def report(self, report: ProgressReport) -> None:
        """Progress, from any thread: the latest of a run is kept until the next write."""
        self._at_home(lambda: self._progress.update({report.job_id: report}))

    def say(self, line: LogLine) -> None:
        """A line, from any thread."""
        self._at_home(lambda: self._lines.append(line))

    async def finish(self, run: FinishedRun, delivery: Delivery) -> bool:
        """Returns once the outcome is committed; False if the claim had been lost."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if delivery.claim.gates:
            run = replace(run, gates=delivery.claim.gates)
        self._finished.append((run, delivery, done))
        self._work.set()
        return await done

    def _at_home(self, note: Callable[[], None]) -> None:
        """Note it in the event loop's own thread, and have it written before long."""
        if threading.get_ident() == self._thread:
            self._note(note)
        else:
            self._home.call_soon_threadsafe(self._note, note)

    def _note(self, note: Callable[[], None]) -> None:
        note()
        if self._timer is None:
            self._timer = self._home.call_later(_PROGRESS_INTERVAL, self._progress_is_due)

    def _progress_is_due(self) -> None:
        self._timer = None
        self._work.set()

    async def _run(self) -> None:
        while not self._closing.is_set() or self._finished:
            await self._work.wait()
            self._work.clear()
            await self._write_all()
        if self._timer is not None:
            self._timer.cancel()

    async def _write_all(self) -> None:
        while self._progress or self._lines or self._finished:
            # What was told goes first: a row that has ended takes no more of it.
            told = list(self._progress.values()), self._lines
            self._progress, self._lines = {}, []
            batch, self._finished = self._finished[:_BATCH], self._finished[_BATCH:]
            if not await self._write(told, batch):
                return

    async def _write(self, told: _Told, batch: Sequence[_Finished]) -> bool:
        runs = [run for run, _, _ in batch]
        kept = await self._stored(told, runs)
        if kept is None:
            logger.error("%d outcomes were not recorded; those jobs will run again", len(batch))
            kept = frozenset()
        # What waits for another attempt is sent before its message is let go of.
        await self._relay.publish(
            [
                _waiting(run, delivery)
                for run, delivery, _ in batch
                if run.job_id in kept and run.retry_after is not None  # 0 s: at once
            ]
        )
        await self._acknowledge([delivery for run, delivery, _ in batch if run.job_id in kept])
        for run, delivery, _ in batch:
            if run.job_id not in kept:
                self._queue.forget(delivery)
        for run, _, done in batch:
            if not done.done():
                done.set_result(run.job_id in kept)
        return not self._give_up.is_set()

    async def _stored(self, told: _Told, runs: Sequence[FinishedRun]) -> frozenset[str] | None:
        """Commit, for as long as it takes; None if it was given up."""
        reports, lines = told
        while True:
            try:
                await self._tell(reports, lines)
                reports, lines = (), ()
                kept = await self._finish(runs) if runs else frozenset[str]()
            except UnavailableError as error:
                if self._give_up.is_set():
                    return None
                await self._outage.wait(error, self._give_up)
                continue
            self._outage.over()
            return kept

    async def _tell(self, reports: Sequence[ProgressReport], lines: Sequence[LogLine]) -> None:
        """Whatever the database refuses of it, outcomes are not to wait for it."""
        try:
            if reports:
                await self._store.report(reports)
            if lines:
                await self._store.say(lines)
        except UnavailableError:
            raise
        except Exception:
            told = len(reports), len(lines)
            logger.exception("%d reports of progress and %d log lines were refused", *told)

    async def _finish(self, runs: Sequence[FinishedRun]) -> frozenset[str]:
        """Record outcomes; one that the database refuses spoils no other."""
        try:
            return await self._store.finish(runs)
        except UnavailableError:
            raise
        except Exception as error:
            logger.exception("%d outcomes were refused by the database", len(runs))
            if len(runs) == 1:
                return await self._store.finish([execution.unrecordable(runs[0], error)])
        kept = [await self._finish([run]) for run in runs]
        return frozenset[str]().union(*kept)

    async def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        try:
            await self._queue.acknowledge(deliveries)
        except UnavailableError as error:
            # The outcome stands: when the message comes again, it meets a finished row.
            logger.warning("%d messages not acknowledged: %s", len(deliveries), error)


def _waiting(run: FinishedRun, delivery: Delivery) -> Dispatch:
    claim = delivery.claim
    due_at = clock.now() + (run.retry_after or timedelta())
    return Dispatch(
        run.job_id, claim.job_name, claim.queue, claim.priority, claim.claim_no, due_at=due_at
    )
