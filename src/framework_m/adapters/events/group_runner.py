"""GroupRunner: one process's share of a durable group, whatever the bus."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from framework_m.core.errors import UnavailableError, UndecodableEventError
from framework_m.core.interfaces.event_store import DeadLetter
from framework_m.core.jobs.control import Discard, Retry, seconds
from framework_m.core.jobs.retry import Backoff
from framework_m.core.outage import Outage, every
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.event_bus import ReceivedEvent, Subscription
    from framework_m.core.metrics import Metrics

logger = logging.getLogger(__name__)

BEGUN = "begun"
"""Counts events that groups have begun to handle."""

_AFTER_CANCEL = 5.0
_LAST_TRY_AFTER = 10.0


@dataclass(slots=True, eq=False)
class GroupDelivery:
    """An event that this process has to handle, and what its source needs to settle it."""

    received: ReceivedEvent
    receipt: Any
    runner: asyncio.Task[None] | None = None
    unwanted: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """How the handling of one event ended: done, again after a while, or never again."""

    delivery: GroupDelivery
    again_after: timedelta | None = None
    letter: DeadLetter | None = None


class GroupSource(Protocol):
    """Where a group's events come from. Raises UnavailableError."""

    async def take(self, limit: int) -> Sequence[GroupDelivery]:
        """Up to so many, waiting for some; empty-handed now and then. Never cancelled."""

    def interrupt(self) -> None:
        """Let a waiting `take` return at once."""

    async def settle(self, outcomes: Sequence[Settled]) -> None:
        """Record these outcomes; twice is harmless."""

    async def give_back(self, deliveries: Sequence[GroupDelivery]) -> None:
        """Unhandled: offer them to others at once."""

    async def renew(self, deliveries: Sequence[GroupDelivery]) -> None:
        """They are still being handled."""

    async def close(self) -> None: ...


class GroupRunner:
    """Takes as many events as it has free slots, handles them at once, settles in batches.

    An event is settled after its handler has returned, never before (invariant 4). While one
    batch of outcomes is recorded the next gathers.
    """

    def __init__(
        self,
        source: GroupSource,
        subscription: Subscription,
        metrics: Metrics,
        *,
        lease: float,
        stop_grace: float,
    ) -> None:
        assert subscription.group is not None, "only groups are run here"  # noqa: S101
        self._source = source
        self._handler = subscription.handler
        self._group = subscription.group
        self._terms = subscription.terms
        self._backoff = subscription.terms.backoff or Backoff()
        self._metrics = metrics
        self._lease = lease
        self._stop_grace = stop_grace
        self._running: set[GroupDelivery] = set()
        self._outcomes: list[Settled] = []
        self._slot_freed = Wakeup()
        self._settling = asyncio.Event()
        self._stop = asyncio.Event()
        self._give_up = asyncio.Event()
        self._ended = False
        self._parts: list[asyncio.Task[None]] = []

    def start(self) -> None:
        parts = {
            "take": self._take_until_stop(),
            "settle": self._settle_until_end(),
            "renew": every(self._lease / 3, self._renew, self._give_up, who=f"group {self._group}"),
        }
        self._parts = [
            asyncio.create_task(part, name=f"group {self._group} {name}")
            for name, part in parts.items()
        ]

    @property
    def is_busy(self) -> bool:
        """Whether it handles events, or has still to record what came of some."""
        return bool(self._running or self._outcomes)

    async def close(self) -> None:
        """Take nothing more, let handlers end within the grace, give the others back."""
        taking, settling, renewing = self._parts
        self._stop.set()
        self._source.interrupt()
        self._slot_freed.call()
        await taking
        await self._finish_running()
        self._ended = True
        self._settling.set()
        last_try = asyncio.get_running_loop().call_later(_LAST_TRY_AFTER, self._give_up.set)
        await settling
        last_try.cancel()
        self._give_up.set()
        await renewing
        await self._source.close()

    async def _take_until_stop(self) -> None:
        outage = Outage(f"group {self._group}")
        while not self._stop.is_set():
            seen = self._slot_freed.calls
            free = self._terms.concurrency - len(self._running) - len(self._outcomes)
            if free <= 0:
                await self._slot_freed.wait_beyond(seen, 60)
                continue
            try:
                deliveries = await self._source.take(free)
            except UnavailableError as error:
                await outage.wait(error, self._stop)
                continue
            except Exception as error:
                # Whatever it is, ending the group would not mend it.
                logger.exception("group %s: taking events failed", self._group)
                await outage.wait(error, self._stop)
                continue
            outage.over()
            for delivery in deliveries:
                self._metrics.count(BEGUN)
                self._running.add(delivery)
                delivery.runner = asyncio.create_task(self._handle(delivery))

    async def _handle(self, delivery: GroupDelivery) -> None:
        try:
            await self._handler(delivery.received)
        except asyncio.CancelledError:
            if not delivery.unwanted:  # the handler's own doing
                self._failed(delivery, RuntimeError("the handler was cancelled"))
            return
        except Exception as error:  # noqa: BLE001 - whatever the handler raises is its outcome
            self._failed(delivery, error)
        else:
            self._settled(Settled(delivery))
            self._metrics.count("delivered", self._group)
        finally:
            self._running.discard(delivery)
            self._slot_freed.call()

    def _failed(self, delivery: GroupDelivery, error: Exception) -> None:
        received = delivery.received
        told = f"{type(error).__name__}: {error}"
        lasting = isinstance(error, UndecodableEventError | Discard)
        if lasting or received.attempt >= self._terms.max_attempts:
            logger.error("%s: event %s is a dead letter: %s", self._group, _name(received), told)
            self._metrics.count("dead", self._group)
            self._settled(Settled(delivery, letter=self._letter(received, told)))
            return
        logger.warning("%s: event %s comes again: %s", self._group, _name(received), told)
        self._metrics.count("failed", self._group)
        self._settled(Settled(delivery, again_after=self._wait(received.attempt, error)))

    def _wait(self, attempt: int, error: Exception) -> timedelta:
        if isinstance(error, Retry) and error.after is not None:
            return error.after
        try:
            return seconds(self._backoff(attempt, error))
        except Exception:
            logger.exception("the backoff function failed; waiting as by default")
            return seconds(Backoff()(attempt, error))

    def _letter(self, received: ReceivedEvent, told: str) -> DeadLetter:
        message = received.message
        return DeadLetter(
            self._group,
            message.topic,
            told,
            received.attempt,
            message,
            sequence=received.sequence,
        )

    def _settled(self, outcome: Settled) -> None:
        self._outcomes.append(outcome)
        self._settling.set()

    async def _settle_until_end(self) -> None:
        outage = Outage(f"group {self._group}: outcomes")
        while not self._ended or self._outcomes:
            await self._settling.wait()
            self._settling.clear()
            while self._outcomes:
                batch, self._outcomes = self._outcomes, []
                if not await self._recorded(batch, outage):
                    return
                self._slot_freed.call()

    async def _recorded(self, batch: Sequence[Settled], outage: Outage) -> bool:
        """For as long as it takes; False if it was given up: then these come again."""
        while not self._give_up.is_set():
            try:
                await self._source.settle(batch)
            except UnavailableError as error:
                await outage.wait(error, self._give_up)
                continue
            except Exception:
                logger.exception("group %s: %d outcomes are lost", self._group, len(batch))
            outage.over()
            return True
        logger.error("group %s: %d events will come again", self._group, len(batch))
        return False

    async def _renew(self) -> None:
        held = [*self._running, *(outcome.delivery for outcome in self._outcomes)]
        if held:
            await self._source.renew(held)

    async def _finish_running(self) -> None:
        await self._wait_for_handlers(self._stop_grace)
        left = list(self._running)
        for delivery in left:
            delivery.unwanted = True
            if delivery.runner is not None:
                delivery.runner.cancel()
        await self._wait_for_handlers(_AFTER_CANCEL)
        if left:
            logger.warning("group %s: %d events go back unhandled", self._group, len(left))
            try:
                await self._source.give_back(left)
            except UnavailableError as error:
                logger.warning("group %s: they come again by themselves: %s", self._group, error)

    async def _wait_for_handlers(self, patience: float) -> None:
        runners = [d.runner for d in self._running if d.runner is not None]
        if runners:
            await asyncio.wait(runners, timeout=patience)


def _name(received: ReceivedEvent) -> str:
    return f"{received.message.topic} {received.message.event_id}"
