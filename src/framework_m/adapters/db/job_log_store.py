"""JobLogStore: the JobStore port on SQLAlchemy Core, for SQLite and PostgreSQL."""

from __future__ import annotations

import time
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, update

from framework_m.adapters.db import job_cancel_sql as cancel_sql
from framework_m.adapters.db import job_gates_sql as gates_sql
from framework_m.adapters.db import job_log_sql as sql
from framework_m.adapters.db import job_rescue_sql as rescue_sql
from framework_m.adapters.db import queue_sql
from framework_m.adapters.db.firing_outcomes import KEEP, to_keep
from framework_m.adapters.db.job_dispatches import JobDispatches
from framework_m.adapters.db.job_gates import JobGates
from framework_m.adapters.db.job_insertion import insert_jobs
from framework_m.adapters.db.job_reader import JobReader
from framework_m.adapters.db.job_unique_sql import release_at_start, worth_another_try
from framework_m.adapters.db.schema import database_now, job_log
from framework_m.core.errors import DatabaseUnavailableError, PoisonJobError, WorkerDiedError
from framework_m.core.interfaces.job_store import LogLine, Rescue
from framework_m.core.jobs.execution import summary
from framework_m.core.jobs.limits import Limits
from framework_m.core.jobs.states import JobStatus
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
    from datetime import timedelta

    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.db.job_events import JobEvents
    from framework_m.adapters.db.job_gates import Admission
    from framework_m.core.interfaces.job_store import (
        Cancelled,
        Claim,
        ClaimTerms,
        Dispatch,
        FinishedRun,
        GateReport,
        NewJob,
        ProgressReport,
        Standing,
        Watched,
    )
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_row = job_log.c


class JobLogStore(JobDispatches, JobReader):
    """Keeps jobs in the table `job_log`.

    reserved: the same database with connections of its own, for workers and the relay: however
        many connections jobs and requests use, claims and outcomes have theirs.
    limits: what jobs have to pass when they are claimed.
    notify_channel: announce new jobs there in the inserting transaction (PostgreSQL NOTIFY), for
    a queue whose messages are the rows themselves.
    """

    def __init__(
        self,
        database: Database,
        *,
        reserved: Database | None = None,
        notify_channel: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        JobReader.__init__(self, database)
        JobDispatches.__init__(self, reserved or database)
        self._notify_channel = notify_channel if database.is_postgresql else None
        self._gates = JobGates(self._database, limits or Limits.none())
        self.rates_closed = Wakeup()
        self.tell_ready: Callable[[Sequence[Dispatch]], Awaitable[None]] | None = None
        self.tell_ended: JobEvents | None = None
        """Publishes that jobs have ended, from the transaction in which they did."""

    async def insert(self, unit: UnitOfWorkProtocol, jobs: Sequence[NewJob]) -> Sequence[str]:
        ids = await insert_jobs(unit, jobs, is_postgresql=self._database.is_postgresql)
        if self._notify_channel:
            for queue in {job.queue for job in jobs}:
                await unit.execute(select(func.pg_notify(self._notify_channel, queue)))
        return ids

    async def claim_due(self, terms: ClaimTerms, limit: int) -> Sequence[Claim]:
        claims: list[Claim] = []
        queues = list(terms.queues)
        while queues and len(claims) < limit:
            try:
                claims += await self._claim_some(terms, queues, limit - len(claims))
            except DatabaseUnavailableError:
                if not claims:
                    raise
                break  # what was claimed before has been committed, and is to run
        return claims

    async def _claim_some(
        self, terms: ClaimTerms, queues: list[str], limit: int
    ) -> Sequence[Claim]:
        """Of these queues, which are taken from the list, in one transaction.

        One that has asked for gates ends: holding some and asking for others, out of order, it
        and its like would wait for each other.
        """
        claims: list[Claim] = []
        admission = None
        async with self._database.begin() as connection:
            while queues and len(claims) < limit and admission is None:
                queue = queues.pop(0)
                due = (
                    select(_row.name)
                    .where(sql.is_due(), _row.queue == queue, ~queue_sql.is_paused(queue))
                    .order_by(_row.priority, _row.scheduled_at, _row.name)
                    .limit(limit - len(claims))
                    .with_for_update(skip_locked=True)
                )
                rows = (await connection.execute(sql.claim(terms, self._among(due)))).all()
                admission = await self._admitted(connection, rows)
                claims.extend(await self._begun(connection, rows, admission))
                if admission is not None and admission.blocked:
                    closed = frozenset(admission.blocked.values())
                    await self._gates.look_ahead(connection, queue, closed)
        await self._told(admission)
        return claims

    async def claim(self, terms: ClaimTerms, job_ids: Collection[str]) -> Sequence[Claim]:
        async with self._database.begin() as connection:
            which = and_(_row.name.in_(job_ids), sql.is_due(), queue_sql.is_in_open_queue())
            rows = (await connection.execute(sql.claim(terms, which))).all()
            admission = await self._admitted(connection, rows)
            claims = await self._begun(connection, rows, admission)
        await self._told(admission)
        return claims

    async def finish(self, runs: Sequence[FinishedRun]) -> frozenset[str]:
        # In the order in which those who act on many jobs lock them: none waits for the other.
        runs = sorted(runs, key=attrgetter("job_id"))
        ended = [run for run in runs if run.status.is_terminal]
        again = [run for run in runs if not run.status.is_terminal]
        failed = [sql.attempt_parameters(run) for run in runs if sql.keeps_attempt(run)]
        async with self._database.begin() as connection:
            if failed:
                await connection.execute(sql.FAILED_ATTEMPT, failed)
            for statement, some in ((sql.END, ended), (sql.WAIT, again)):
                if some:
                    await connection.execute(statement, [sql.finish_parameters(r) for r in some])
            # A batched UPDATE reports no count per row; reading back what is ours now does.
            rows = await connection.execute(sql.statuses([run.job_id for run in runs]))
            now = {row.name: row for row in rows}
            kept = [run for run in runs if sql.was_kept(run, now.get(run.job_id))]
            ended_now = {run.job_id for run in kept if run.status.is_terminal}
            asked = [run.job_id for run in kept if now[run.job_id].cancel_requested_at]
            ended_now |= await self._end_asked(connection, asked)
            told = await self._tell_ended(connection, sorted(ended_now))
            ready = await self._leave_gates(connection, kept)
        told()
        await self._tell_ready(ready)
        return frozenset(run.job_id for run in kept)

    async def release(self, claims: Sequence[Claim]) -> None:
        async with self._database.begin() as connection:
            given_back = []
            for claim in claims:
                done = await connection.execute(
                    update(job_log)
                    .where(sql.held(claim.job_id, claim.claim_no))
                    .values(rescue_sql.ready_again())
                )
                if done.rowcount:  # else somebody else's by now, who may be running it
                    given_back.append(claim.job_id)
            ended = await self._end_asked(connection, given_back)
            told = await self._tell_ended(connection, sorted(ended))
            await self._announce(connection, {claim.queue for claim in claims})
        told()

    async def cancel(self, unit: UnitOfWorkProtocol, job_ids: Collection[str]) -> Cancelled:
        with worth_another_try():
            cancelled, rows = await cancel_sql.cancel(unit, job_ids)
            told = await self._tell_ended(unit, sorted(cancelled.waited))
            self._leave_unclaimed(unit, rows.values())
        unit.after_commit(_once_committed(told))
        return cancelled

    async def delete(self, unit: UnitOfWorkProtocol, job_ids: Collection[str]) -> frozenset[str]:
        with worth_another_try():
            rows = (await unit.execute(cancel_sql.gone(job_ids))).all()
            if kept := to_keep(rows):
                await unit.execute(KEEP, kept)
            self._leave_unclaimed(unit, rows)
            return frozenset(row.name for row in rows)

    async def watch(self, held: Mapping[str, int]) -> Watched:
        rows = await self._database.fetch(cancel_sql.watched(held.keys()))
        return cancel_sql.judged(held, rows)

    async def renew(self, held: Mapping[str, int], terms: ClaimTerms) -> frozenset[str]:
        if not held:
            return frozenset()
        # A row that somebody's transaction holds just now, to cancel it, keeps no other waiting.
        mine = (
            select(_row.name)
            .where(_row.name.in_(held), sql.is_running(), _row.worker == terms.worker)
            .with_for_update(skip_locked=True)
        )
        async with self._database.begin() as connection:
            rows = await connection.execute(
                update(job_log)
                .where(self._among(mine), sql.is_running(), _row.worker == terms.worker)
                .values(lease_until=database_now(terms.lease.total_seconds()))
                .returning(_row.name, _row.claim_no)
            )
            still = {name for name, claim_no in rows if held[name] == claim_no}
            if missing := held.keys() - still:
                left = await connection.execute(sql.statuses(sorted(missing)))
                still |= {
                    row.name
                    for row in left
                    if (row.claim_no, row.status) == (held[row.name], JobStatus.RUNNING.value)
                }
        return frozenset(held.keys() - still)

    async def start_alone(self, claim: Claim) -> bool:
        async with self._database.begin() as connection:
            done = await connection.execute(
                update(job_log).where(sql.held(claim.job_id, claim.claim_no)).values(is_alone=True)
            )
        return bool(done.rowcount)

    async def rescue(self, limit: int, *, patience: timedelta, max_rescues: int) -> Rescue:
        asked_at = time.monotonic()
        async with self._database.begin() as connection:
            if time.monotonic() - asked_at > patience.total_seconds():
                raise DatabaseUnavailableError("somebody kept its write lock for long")
            lapsed = (await connection.execute(rescue_sql.lapsed(limit))).all()
            for worker, job_ids in rescue_sql.by_worker(lapsed).items():
                error = summary(WorkerDiedError(worker))
                await connection.execute(rescue_sql.crashed_attempts(error, job_ids))
            ended = await self._end_asked(connection, [row.name for row in lapsed])
            lapsed = [row for row in lapsed if row.name not in ended]
            poison = [row for row in lapsed if row.crashes >= max_rescues]
            for row in poison:
                error = summary(PoisonJobError(row.crashes))
                await connection.execute(rescue_sql.poison(row.name, error))
            told = await self._tell_ended(connection, [*ended, *(row.name for row in poison)])
            ready = await self._make_ready(
                connection, [row.name for row in lapsed if row not in poison], rescue_sql.rescued()
            )
        told()
        return Rescue(ready, [row.name for row in poison], sorted(ended))

    async def unblock(
        self, gates: Collection[str], limit: int, *, older_than: timedelta
    ) -> Sequence[Dispatch]:
        blocked = rescue_sql.blocked(gates, limit, older_than.total_seconds())
        if not await self._database.fetch(blocked):
            return []  # the rule; SQLite's write lock is not asked for
        async with self._database.begin() as connection:
            found = await connection.execute(blocked.with_for_update(skip_locked=True))
            return await self._make_ready(connection, list(found.scalars()), rescue_sql.unblocked())

    async def look_at_gates(self, after: str) -> GateReport:
        return await self._gates.look(after)

    async def let_through(self, places: Mapping[str, int]) -> Sequence[Dispatch]:
        async with self._database.begin() as connection:
            ready = await self._gates.leave(connection, places)
            await self._announce(connection, {job.queue for job in ready})
            return ready

    async def forget_rates(self, limit: int) -> int:
        if not await self._database.fetch(gates_sql.unused_rates(1)):
            return 0
        async with self._database.begin() as connection:
            return int((await connection.execute(gates_sql.forget_rates(limit))).rowcount)

    async def say(self, lines: Sequence[LogLine]) -> None:
        async with self._database.begin() as connection:
            if self._database.is_postgresql:
                # A job that is deleted meanwhile would take the lines of all others with it.
                await connection.execute(sql.kept({line.job_id for line in lines}))
            await connection.execute(sql.LINE, [sql.line_parameters(line) for line in lines])

    async def report(self, reports: Sequence[ProgressReport]) -> None:
        async with self._database.begin() as connection:
            for report in reports:
                await connection.execute(
                    update(job_log)
                    .where(sql.held(report.job_id, report.claim_no))
                    .values(
                        progress=report.percent,
                        progress_message=report.message,
                        updated_at=database_now(),
                    )
                )

    async def standings(self, job_ids: Collection[str]) -> Mapping[str, Standing]:
        async with self._database.read() as connection:
            rows = await connection.execute(sql.standings(job_ids))
            return {row[0]: sql.standing(row) for row in rows}

    async def _end_asked(self, connection: Any, job_ids: Collection[str]) -> set[str]:
        """Of these, whose run is over, those that were asked to stop: Cancelled now."""
        if not job_ids:
            return set()
        return set((await connection.execute(cancel_sql.end_asked(job_ids))).scalars())

    async def _admitted(self, connection: Any, rows: Sequence[Any]) -> Admission | None:
        """Who of these passes all gates; None where there is nothing to pass, as a rule."""
        gates = self._gates.of(rows)
        if not gates:
            return None
        admission = await self._gates.admit(connection, rows, gates)
        await self._announce(connection, {job.queue for job in admission.ready})
        return admission

    async def _begun(
        self, connection: Any, rows: Sequence[Any], admission: Admission | None
    ) -> Sequence[Claim]:
        blocked = admission.blocked if admission else {}
        begun = [row for row in rows if row.name not in blocked]
        await release_at_start(connection, begun)
        return sql.claims(begun, admission.taken if admission else None)

    async def _leave_gates(
        self, connection: Any, runs: Sequence[FinishedRun]
    ) -> Sequence[Dispatch]:
        left = Counter(gate for run in runs for gate in run.gates)
        if not left:
            return []
        ready = await self._gates.leave(connection, left)
        await self._announce(connection, {job.queue for job in ready})
        return ready

    def _leave_unclaimed(self, unit: UnitOfWorkProtocol, rows: Iterable[Any]) -> None:
        """They may have been let through already: their places are the next ones'.

        Once it has committed: the caller's transaction may take long, and workers wait for
        whoever decides at a gate.
        """
        passed = self._gates.of(rows).values()
        left = Counter(gate.name for gates in passed for gate in gates if gate.most is not None)

        async def leave() -> None:
            await self._tell_ready(await self.let_through(left))

        if left:
            unit.after_commit(leave)

    async def _told(self, admission: Admission | None) -> None:
        if admission is None:
            return
        if admission.waits_for_time:
            self.rates_closed.call()
        await self._tell_ready(admission.ready)

    async def _tell_ready(self, ready: Sequence[Dispatch]) -> None:
        if ready and self.tell_ready is not None:
            await self.tell_ready(ready)

    async def _make_ready(
        self, connection: Any, job_ids: Collection[str], changes: dict[Any, Any]
    ) -> Sequence[Dispatch]:
        if not job_ids:
            return []
        rows = await connection.execute(
            update(job_log)
            .where(_row.name.in_(job_ids))
            .values(changes)
            .returning(*sql.DISPATCH_COLUMNS)
        )
        ready = sql.dispatches(rows)
        await self._announce(connection, {job.queue for job in ready})
        return ready

    async def _tell_ended(self, connection: Any, job_ids: Sequence[str]) -> Callable[[], None]:
        """Events of these, in this transaction; what to call once it has committed."""
        if self.tell_ended is None or not job_ids or not await self.tell_ended.wanted():
            return lambda: None
        return await self.tell_ended.append(connection, job_ids)

    async def _announce(self, connection: Any, queues: Collection[str]) -> None:
        if self._notify_channel:
            for queue in queues:
                await connection.execute(select(func.pg_notify(self._notify_channel, queue)))


def _once_committed(told: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def tell() -> None:
        told()

    return tell
