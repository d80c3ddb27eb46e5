"""EventDeliveries: what groups have still to handle, claimed like jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Float,
    Integer,
    String,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from framework_m.adapters.db import event_outbox as outbox
from framework_m.adapters.db.event_letters import NEW_LETTER, insertion
from framework_m.adapters.db.event_schema import event_delivery, event_group
from framework_m.adapters.db.schema import UtcDateTime, database_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from sqlalchemy import ColumnElement, Select

    from framework_m.adapters.db.engine import Database
    from framework_m.core.interfaces.event_bus import EventMessage
    from framework_m.core.interfaces.event_store import DeadLetter

_row = event_delivery.c
_earlier = event_delivery.alias("earlier")

_HELD = and_(
    _row.group_name == bindparam("held_group", type_=String),
    _row.sequence == bindparam("held_sequence", type_=BigInteger),
    _row.claim_no == bindparam("held_claim_no", type_=Integer),
)
_DONE = delete(event_delivery).where(_HELD)
_AGAIN = (
    update(event_delivery)
    .where(_HELD)
    .values(due_at=database_now(bindparam("wait", type_=Float)), lease_until=None)
)
_RENEW = (
    update(event_delivery)
    .where(_HELD)
    .values(lease_until=database_now(bindparam("lease", type_=Float)))
)
_RELEASE = (
    update(event_delivery)
    .where(_HELD)
    .values(lease_until=None, attempt=_row.attempt - 1, due_at=database_now())
)
_is_free = or_(_row.lease_until.is_(None), _row.lease_until < database_now())
_due = and_(_row.due_at <= database_now(), _is_free)
_is_first_of_its_key = ~exists().where(
    _earlier.c.group_name == _row.group_name,
    _earlier.c.ordering_key == _row.ordering_key,
    _earlier.c.sequence < _row.sequence,
)
_may_go = or_(_row.ordering_key.is_(None), _is_first_of_its_key)
CLAIMED = (_row.sequence, _row.claim_no, _row.attempt)


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """The right of one process to handle one delivery, while its lease is renewed."""

    group: str
    sequence: int
    claim_no: int
    attempt: int
    message: EventMessage

    def held(self, **more: Any) -> dict[str, Any]:
        """What its writes name: they do nothing once somebody else has claimed it."""
        return {
            "held_group": self.group,
            "held_sequence": self.sequence,
            "held_claim_no": self.claim_no,
            **more,
        }


class EventDeliveries:
    """Rows of `event_delivery`. Raises UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, group: str, limit: int, *, ordered: bool, lease: timedelta
    ) -> Sequence[ClaimedDelivery]:
        """Claim due ones, oldest first; of an ordered group only the first of each key."""
        due = select(_row.sequence).where(_row.group_name == group, _due)
        if ordered:
            due = due.where(_may_go)
        due = due.order_by(_row.sequence).limit(limit)
        if not self._database.is_postgresql and not await self._database.fetch(due.limit(1)):
            return []  # without asking for SQLite's write lock
        claimed = (
            update(event_delivery)
            .where(_row.group_name == group, self._among(due.with_for_update(skip_locked=True)))
            .values(
                claim_no=_row.claim_no + 1,
                attempt=_row.attempt + 1,
                lease_until=database_now(lease.total_seconds()),
            )
            .returning(*CLAIMED, _row.event_id, _row.topic, _row.ordering_key, _row.payload)
        )
        async with self._database.begin() as connection:
            rows = (await connection.execute(claimed)).all()
        return [
            ClaimedDelivery(group, at, claim_no, attempt, outbox.message(rest))
            for at, claim_no, attempt, *rest in sorted(rows)
        ]

    def _among(self, sequences: Select[Any]) -> ColumnElement[bool]:
        """PostgreSQL may evaluate a subquery in IN for each row, so that its limit bounds nothing,
        and expects it to find much, so that it reads the whole group. An array is made once.
        """
        if self._database.is_postgresql:
            return _row.sequence == func.any(func.array(sequences.scalar_subquery()))
        return _row.sequence.in_(sequences)

    async def settle(
        self,
        done: Sequence[ClaimedDelivery],
        again: Sequence[tuple[ClaimedDelivery, timedelta]],
        dead: Sequence[tuple[ClaimedDelivery, DeadLetter]],
    ) -> None:
        """Record outcomes, all or none; nothing of those that are no longer held."""
        async with self._database.begin() as connection:
            for delivery, letter in dead:
                gone = await connection.execute(_DONE, delivery.held())
                if gone.rowcount:
                    await connection.execute(NEW_LETTER, insertion(letter))
            if done:
                await connection.execute(_DONE, [delivery.held() for delivery in done])
            if again:
                waits = [d.held(wait=wait.total_seconds()) for d, wait in again]
                await connection.execute(_AGAIN, waits)

    async def renew(self, deliveries: Sequence[ClaimedDelivery], lease: timedelta) -> None:
        async with self._database.begin() as connection:
            renewed = [d.held(lease=lease.total_seconds()) for d in deliveries]
            await connection.execute(_RENEW, renewed)

    async def release(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        """Give back unhandled, at once, without spending an attempt."""
        async with self._database.begin() as connection:
            await connection.execute(_RELEASE, [delivery.held() for delivery in deliveries])

    async def add(self, group: str, letter: DeadLetter) -> None:
        """Give a dead letter to its group once more, at its old place."""
        assert letter.message is not None, "what the database carried could be read"  # noqa: S101
        async with self._database.begin() as connection:
            sequence = letter.sequence
            if sequence is None:
                first = select(func.coalesce(func.min(_row.sequence), 1) - 1)
                below = await connection.execute(first.where(_row.group_name == group))
                sequence = int(below.scalar_one())
            held = tuple_(_row.group_name, _row.sequence) == (group, sequence)
            if (await connection.execute(select(_row.sequence).where(held))).first() is None:
                row = {"group_name": group, "sequence": sequence, **outbox.values(letter.message)}
                await connection.execute(_REDRIVEN, row)

    async def forget_group(self, group: str) -> bool:
        """The group and what waits in it are gone; False if there is none."""
        async with self._database.begin() as connection:
            named = event_group.c.name == group
            gone = await connection.execute(delete(event_group).where(named))
            await connection.execute(delete(event_delivery).where(_row.group_name == group))
        return bool(gone.rowcount)

    async def has_work(self, group: str, *, ordered: bool) -> bool:
        """Whether a delivery may be claimed now, or is being handled."""
        left = or_(_due, _row.lease_until >= database_now())
        query = select(_row.sequence).where(_row.group_name == group, left)
        if ordered:
            query = query.where(_may_go)
        return bool(await self._database.fetch(query.limit(1)))

    async def next_due(self, group: str, *, ordered: bool) -> timedelta | None:
        """How long until a delivery is due or its lease lapses; None if there is none."""
        later = func.greatest if self._database.is_postgresql else func.max
        at = later(_row.due_at, func.coalesce(_row.lease_until, _row.due_at))
        query = select(database_now().label("now"), func.min(at, type_=UtcDateTime())).where(
            _row.group_name == group
        )
        if ordered:
            query = query.where(_may_go)
        [(now, due)] = await self._database.fetch(query)
        return None if due is None else due - now


_REDRIVEN = insert(event_delivery).values(
    attempt=0, claim_no=0, due_at=database_now(), created_at=database_now()
)
