"""Port: what carries events from whoever publishes to whoever subscribed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.events.envelope import BaseEvent
    from framework_m.core.interfaces.event_store import DeadLetter
    from framework_m.core.jobs.retry import BackoffFunction


@dataclass(frozen=True, slots=True)
class EventMessage:
    """An event as it travels: `core.events.envelope` writes and reads it."""

    event_id: str
    topic: str
    key: str | None
    """Those with the same key are kept in order: "doctype/doc_id"."""
    attributes: Mapping[str, str]
    """The envelope, without `data`."""
    data: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event on its way to one handler."""

    message: EventMessage
    group: str | None = None
    attempt: int = 1
    sequence: int | None = None
    """Its place on the bus, where that has one."""


EventCallback: TypeAlias = Callable[[ReceivedEvent], Awaitable[None]]
Start: TypeAlias = int | datetime | None
"""Where a new subscription begins: at a sequence, at an aware time, or now."""


@dataclass(frozen=True, slots=True)
class DeliveryTerms:
    """How a group gets its events."""

    max_attempts: int = 6
    backoff: BackoffFunction | None = None
    """As of jobs; exponential with jitter by default."""
    concurrency: int = 100
    """Handlers of this subscription that run at once in this process."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Somebody who hears of events until `unsubscribe`."""

    topic: str
    handler: EventCallback
    group: str | None = None
    ordered: bool = False
    start: Start = None
    terms: DeliveryTerms = field(default_factory=DeliveryTerms)


class EventBusProtocol(Protocol):
    """Carries events by topic.

    With a group: delivery at least once to the group, whose members in all processes share the
        events. What is published after the group was first made waits for it, also while no
        member lives, for as long as the bus keeps events. An event whose handler raised comes
        again after a backoff, alone; after `max_attempts` it becomes a dead letter. It is settled
        only when the handler has returned, so a process that dies in between has it come again.
    Without one: a live broadcast. Every subscription in every process hears every event that is
        published while it is there, one after another; a handler that raises is logged, and the
        event does not come again. Across an outage of the bus it resumes where it was.
    Order: in an ordered group events of one key arrive in the order in which their transactions
        committed, one at a time; an event that fails holds back those of its own key only, until
        it succeeds or is a dead letter. Elsewhere roughly by time.
    Twice: an event that is published again under the same id within minutes is not delivered again.
    Raises: UnavailableError (retry later), EventError. Nothing else leaves an adapter.
    """

    drains_outbox: bool
    """The bus and the outbox are one database: rows move in a transaction, by `drain`."""
    survives_restarts: bool
    """False where groups and their events live in this process only."""

    @property
    def begun(self) -> int:
        """How many events groups have begun to handle in this process, so far."""

    @property
    def has_groups(self) -> bool:
        """Whether this process is a member of any group."""

    async def start(self) -> None:
        """Connect. Idempotent."""

    async def close(self) -> None:
        """End every subscription gracefully, then disconnect."""

    async def publish(self, topic: str, event: BaseEvent) -> None:
        """Publish outside of any transaction; returns when the bus has the event for good.

        Concurrent calls travel together. What belongs to a transaction goes through the outbox
        instead: `tx.publish`. Raises InvalidEventError.
        """

    async def publish_many(self, messages: Sequence[EventMessage]) -> None:
        """The same for many, in order, all under way at once."""

    async def drain(self) -> int:
        """Move the committed rows of the outbox to the bus, oldest first; how many."""

    async def define(self, subscription: Subscription) -> None:
        """See to it that the group exists, so that events wait for it. Idempotent."""

    async def subscribe(
        self,
        topic: str,
        handler: EventCallback,
        *,
        group: str | None = None,
        ordered: bool = False,
        start: Start = None,
        terms: DeliveryTerms | None = None,
    ) -> Subscription:
        """Hear of every event whose topic matches, from the return of this call on.

        start: where a group that is made now, or a broadcast, begins: replay. A group that exists
            goes on where it was.
        """

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Hear no more; returns when running handlers have ended. A group stays, and waits."""

    async def redrive(self, letter: DeadLetter) -> None:
        """Give a dead letter to its group once more, and to nobody else."""

    async def hears(self, topics: Sequence[str]) -> bool:
        """Whether anybody may hear of events on these topics; False only where nobody can.

        Somebody who subscribes in another process may be noticed a moment later.
        """

    async def lag(self) -> Mapping[str, int]:
        """How many events each group has still to handle."""

    async def has_work(self, subscriptions: Sequence[Subscription]) -> bool:
        """Whether one of these groups, or of those that run here, has an event to handle now.

        One that waits for its next attempt does not count, nor do those behind it in its order.
        """

    async def forget_group(self, group: str) -> bool:
        """A group that nobody serves any more is gone, with what waits in it.

        False if there is none of this name. One that is still served is made anew, from now on.
        """
