"""JobGates: who passes the limits, decided where jobs are claimed.

Places are counted, never kept: a place is taken by a row that is Running, so that whatever dies
leaves no gate closed for longer than a lease. On PostgreSQL those who decide at one gate take
turns; SQLite has one writer anyway.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from framework_m.adapters.db import job_gates_sql as sql
from framework_m.core.interfaces.job_store import GateReport, Room
from framework_m.core.jobs.parking import is_parking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.job_store import Dispatch
    from framework_m.core.jobs.limits import Gate, Limits

_LOOK_AHEAD = 1000
_GATES_AT_ONCE = 500
_NO_LIMIT = 500
"""How many are let through at once where a limit is gone."""
_SHORTEST_WAIT = 0.005
_CLOCK_SLACK = 60.0
"""Seconds by which those who decide at one gate may differ about the time: a claim that had to
wait for its turn counts from when it asked."""
_turn = attrgetter("priority", "scheduled_at", "name")
"""Who is before whom at a gate."""


@dataclass(slots=True)
class Admission:
    """What became of rows that were claimed and have gates to pass."""

    taken: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of those that passed: the gates in which they take a place."""
    blocked: dict[str, str] = field(default_factory=dict)
    """Those that did not, and where they wait."""
    ready: list[Dispatch] = field(default_factory=list)
    """Others, which were let through instead."""
    waits_for_time: bool = False
    """Whether any may wait for a rate: that opens by itself."""


class JobGates:
    """The gates of one database's jobs, by the limits that this process knows."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._is_postgresql = database.is_postgresql
        self._database = database
        self._limits = limits
        self._keep_rates = sql.keep_rates(is_postgresql=self._is_postgresql)

    def of(self, rows: Iterable[Any]) -> dict[str, tuple[Gate, ...]]:
        """By job id; only of those that have any: as a rule that is nobody."""
        return {
            row.name: self._limits.gates(row.job_name, row.queue, sql.keyed(row))
            for row in rows
            if self._limits.concern(row.job_name, row.queue)
        }

    async def admit(
        self, connection: Any, rows: Sequence[Any], gates: Mapping[str, Sequence[Gate]]
    ) -> Admission:
        """Decide, in the transaction that has claimed these rows; put the others back."""
        every = {gate.name: gate for passed in gates.values() for gate in passed}
        await self.lock(connection, every)
        # What is kept of a start is this moment, so this is what keeps its distance.
        started = min(row.started_at for row in rows).timestamp()
        places = await self._places(connection, every, started, claimed=gates.values())
        admission = Admission()
        waiting = await self._first_in_line(connection, every)
        for row in sorted(rows, key=_turn):
            wanted = gates.get(row.name, ())
            closed = next(
                (
                    gate
                    for gate in wanted
                    # Who waits there, and was not let in yet, is not to be overtaken.
                    if not places.has_room(gate) or waiting.get(gate.name, _turn(row)) < _turn(row)
                ),
                None,
            )
            if closed is None:
                places.take(wanted)
                counted = tuple(gate.name for gate in wanted if gate.most is not None)
                admission.taken[row.name] = counted
            else:
                admission.blocked[row.name] = closed.name
                admission.waits_for_time |= closed.most is None
        # Others may wait for its time from the start, and nobody has said so.
        admission.waits_for_time |= bool(places.started)
        await self._keep(connection, places, admission)
        await self._let_others_through(connection, places, gates, admission)
        return admission

    async def look_ahead(self, connection: Any, queue: str, closed: frozenset[str]) -> None:
        """Whoever would be claimed next, only to find one of these closed, waits there at once."""
        waiting: dict[str, list[str]] = defaultdict(list)
        for row in await connection.execute(sql.next_in_line(queue, _LOOK_AHEAD)):
            names = (g.name for g in self._limits.gates(row.job_name, row.queue, sql.keyed(row)))
            gate = next((name for name in names if name in closed), None)
            if gate is not None:
                waiting[gate].append(row.name)
        for gate, job_ids in waiting.items():
            await connection.execute(sql.block(gate, job_ids))

    async def leave(self, connection: Any, places: Mapping[str, int]) -> list[Dispatch]:
        """So many have left these gates: as many of those that wait there are ready."""
        # Whoever decides there just now may be about to wait for the place that becomes free.
        await self.lock(connection, places)
        return await self._let_through(connection, places)

    async def look(self, after: str) -> GateReport:
        """Find gates at which jobs wait though there is room."""
        rows = await self._database.fetch(sql.closed_gates(after, _GATES_AT_ONCE))
        if not rows:
            return GateReport([], None, "")
        more = rows[-1].gate if len(rows) == _GATES_AT_ONCE else ""
        rules = self._rules(rows)
        gates = {gate.name: gate for gate in rules.values() if gate is not None}
        async with self._database.read() as connection:
            now = (await connection.execute(sql.NOW)).scalar_one().timestamp()
            places = await self._places(connection, gates, now)
        rooms = [
            Room(row.gate, some, row.name, gate is not None and gate.most is None, gate is not None)
            for row in rows
            if row.gate in rules
            if (some := _NO_LIMIT if (gate := rules[row.gate]) is None else places.room(gate))
        ]
        return GateReport(rooms, _wait(places, gates.values()), more)

    async def lock(self, connection: Any, gates: Iterable[str]) -> None:
        if self._is_postgresql:
            await connection.execute(sql.LOCK, {"gates": list(gates)})

    def _rules(self, rows: Iterable[Any]) -> dict[str, Gate | None]:
        """The gates of these that are anybody's to open here; None if the limit is gone."""
        rules: dict[str, Gate | None] = {}
        for row in rows:
            if is_parking(row.gate) or not self._limits.knows(row.job_name):
                continue
            gates = self._limits.gates(row.job_name, row.queue, sql.keyed(row))
            rules[row.gate] = next((gate for gate in gates if gate.name == row.gate), None)
        return rules

    async def _let_through(self, connection: Any, places: Mapping[str, int]) -> list[Dispatch]:
        ready: list[Dispatch] = []
        for gate in sorted(places):
            some = sql.let_through(gate, places[gate], is_postgresql=self._is_postgresql)
            ready += sql.in_order(await connection.execute(some))
        return ready

    async def _places(
        self,
        connection: Any,
        gates: Mapping[str, Gate],
        now: float,
        claimed: Iterable[Sequence[Gate]] = (),
    ) -> Places:
        """claimed: the gates of rows that are Running already, and still to be judged."""
        running: Counter[str] = Counter()
        if any(gate.most is not None for gate in gates.values()):
            for row in await connection.execute(sql.RUNNING):
                for gate in self._limits.gates(row.job_name, row.queue, sql.keyed(row)):
                    running[gate.name] += row.jobs
        running.subtract(gate.name for passed in claimed for gate in passed)
        rates = [name for name, gate in gates.items() if gate.most is None]
        if not rates:
            return Places(running, {}, now)
        kept = await connection.execute(sql.rates(rates))
        free_at = {row.gate: sql.free_at(row) for row in kept}
        possible = {
            gate: moment
            for gate, moment in free_at.items()
            # Later than any start can have left it: the clock was set back, or the code now
            # allows more.
            if moment <= now + gates[gate].interval * gates[gate].burst + _CLOCK_SLACK
        }
        return Places(running, possible, now)

    async def _first_in_line(
        self, connection: Any, gates: Iterable[str]
    ) -> dict[str, tuple[Any, ...]]:
        """By gate: the turn of who waits first there."""
        rows = await connection.execute(sql.first_in_line(gates))
        return {row.gate: _turn(row) for row in rows}

    async def _keep(self, connection: Any, places: Places, admission: Admission) -> None:
        if admission.blocked:
            blocked = [{"job_id": job, "gate": gate} for job, gate in admission.blocked.items()]
            await connection.execute(sql.PUT_BACK, blocked)
        if places.started:
            rates = [
                {"gate": gate, "free_at": datetime.fromtimestamp(places.free_at[gate], UTC)}
                for gate in sorted(places.started)
            ]
            await connection.execute(self._keep_rates, rates)

    async def _let_others_through(
        self,
        connection: Any,
        places: Places,
        gates: Mapping[str, Sequence[Gate]],
        admission: Admission,
    ) -> None:
        """Who passed one gate and waits at another has left a place, or time, in the first."""
        room = {
            gate.name: places.room(gate)
            for job_id, closed in admission.blocked.items()
            for gate in gates[job_id]
            if gate.name != closed and places.has_room(gate)
        }
        if room:
            admission.ready = await self._let_through(connection, room)


@dataclass(slots=True)
class Places:
    """How gates stand, while it is decided who passes."""

    running: Counter[str]
    free_at: dict[str, float]
    """Of rates: the theoretical arrival time of the next start (GCRA), in seconds."""
    now: float
    started: set[str] = field(default_factory=set)

    def has_room(self, gate: Gate) -> bool:
        if gate.most is not None:
            return self.running[gate.name] < gate.most
        return self.opens_in(gate) <= 0

    def room(self, gate: Gate) -> int:
        """How many may pass now."""
        if gate.most is not None:
            return max(0, gate.most - self.running[gate.name])
        early = -self.opens_in(gate)
        return 0 if early < 0 else min(gate.burst, int(early / gate.interval) + 1)

    def opens_in(self, gate: Gate) -> float:
        """Seconds until the next may start; below 0 since when one might have."""
        return self.free_at.get(gate.name, 0.0) - gate.tolerance - self.now

    def take(self, gates: Sequence[Gate]) -> None:
        for gate in gates:
            if gate.most is not None:
                self.running[gate.name] += 1
            else:
                free_at = max(self.free_at.get(gate.name, 0.0), self.now)
                self.free_at[gate.name] = free_at + gate.interval
                self.started.add(gate.name)


def _wait(places: Places, gates: Iterable[Gate]) -> timedelta | None:
    """How long until the first of the rates among them has time again."""
    waits = [
        # An open one is used up at once by those who are let through now.
        opens_in if (opens_in := places.opens_in(gate)) > 0 else gate.interval
        for gate in gates
        if gate.most is None
    ]
    return timedelta(seconds=max(_SHORTEST_WAIT, min(waits))) if waits else None
