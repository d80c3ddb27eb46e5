"""TaskiqJobQueueAdapter: jobs over JetStream."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from framework_m.adapters.jobs.intake import Intake
from framework_m.adapters.jobs.jetstream_broker import JetStreamBroker
from framework_m.core.errors import UnavailableError
from framework_m.core.ids import is_uuid
from framework_m.core.interfaces.job_queue import Delivery
from framework_m.core.interfaces.job_store import Standing
from framework_m.core.outage import every

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg

    from framework_m.core.interfaces.job_store import Claim, ClaimTerms, Dispatch, JobStore

logger = logging.getLogger(__name__)

_PATIENCE = 5.0
_SOON = 1.0


class TaskiqJobQueueAdapter:
    """Messages carry ids; each meets its row before anything is run (invariant 2)."""

    needs_dispatch = True

    def __init__(self, broker: JetStreamBroker, store: JobStore) -> None:
        self.broker = broker
        self._store = store
        self._intakes: dict[str, Intake] = {}
        self._held: dict[str, Msg] = {}
        self._closing = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None
        broker.connection.on_reconnect(self._reconnected)

    async def start(self) -> None:
        await self.broker.open()
        if self._renewing is None:
            self._renewing = asyncio.create_task(
                every(
                    self.broker.ack_wait / 3,
                    self._say_in_progress,
                    self._closing,
                    who="in-progress",
                ),
                name="jetstream-in-progress",
            )

    async def close(self) -> None:
        self._closing.set()
        if self._renewing is not None:
            await self._renewing
        for intake in self._intakes.values():
            await self._return(await intake.close())
        self._intakes.clear()
        await self.broker.connection.close()

    async def dispatch(self, jobs: Sequence[Dispatch]) -> None:
        await self.broker.open()
        await self.broker.publish(jobs)

    async def idle_queues(self, queues: Sequence[str]) -> Sequence[str]:
        await self.broker.open()
        return [queue for queue in queues if await self.broker.idle(queue)]

    async def claim(self, terms: ClaimTerms, limit: int) -> Sequence[Delivery]:
        intake = self._intake(terms)
        await self._return(await intake.serve(terms.queues))
        messages = await intake.messages(limit, _PATIENCE)
        if not messages:
            return []
        try:
            by_id = await self._readable(messages)
            claims = await self._store.claim(terms, list(by_id))
        except UnavailableError:
            await self._return(messages)
            raise
        deliveries = [Delivery(claim, by_id.pop(claim.job_id)) for claim in claims]
        self._held.update((_key(d.claim), d.receipt) for d in deliveries)
        if by_id:
            await self._settle_unclaimed(by_id)
        return deliveries

    def interrupt(self) -> None:
        for intake in self._intakes.values():
            intake.interrupt()

    async def leave(self, terms: ClaimTerms) -> None:
        intake = self._intakes.pop(terms.worker, None)
        if intake is not None:
            await self._return(await intake.close())

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._held.pop(_key(delivery.claim), None)
            await _say(delivery.receipt.ack())

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._held.pop(_key(delivery.claim), None)
        await self._return([delivery.receipt for delivery in deliveries])

    def forget(self, delivery: Delivery) -> None:
        self._held.pop(_key(delivery.claim), None)

    def _intake(self, terms: ClaimTerms) -> Intake:
        found = self._intakes.get(terms.worker)
        if found is None:
            found = self._intakes[terms.worker] = Intake(self.broker)
        return found

    async def _readable(self, messages: Sequence[Msg]) -> dict[str, Msg]:
        """The messages by job id; what is no message of ours is parked."""
        by_id: dict[str, Msg] = {}
        for message in messages:
            job_id = _job_id(message.data)
            if job_id is None:
                logger.error("parked a message on %s: it is of no job", message.subject)
                await self.broker.park(message, "this is no message of a job")
            elif job_id in by_id:
                await _say(message.nak(delay=_SOON))  # a second copy; it will meet the row
            else:
                by_id[job_id] = message
        return by_id

    async def _settle_unclaimed(self, by_id: dict[str, Msg]) -> None:
        try:
            standings = await self._store.standings(list(by_id))
            gone = len(by_id.keys() - standings.keys())
            if gone:
                # As a rule somebody has deleted them.
                logger.warning("parked %d messages: their jobs are not in the database", gone)
            for job_id, message in by_id.items():
                await self._settle(message, standings.get(job_id))
        except UnavailableError as error:
            # What was claimed beside them must still be run: these come again by themselves.
            logger.warning("%d messages are left to come again: %s", len(by_id), error)

    async def _settle(self, message: Msg, standing: Standing | None) -> None:
        """What a message means whose row could not be claimed.

        A copy of a running job's message is never acknowledged: it may be the only one.
        """
        if standing is None:
            await self.broker.park(message, "no job has this id")
        elif standing.status.is_terminal:
            await _say(message.ack())
        elif standing.lease_left is not None:
            await _say(message.nak(delay=max(_SOON, standing.lease_left.total_seconds())))
        elif standing.is_expected:
            await _say(message.nak(delay=_SOON))  # somebody else is at it, or it is paused
        else:
            await _say(message.ack())  # due later, and then dispatched anew

    async def _return(self, messages: Sequence[Msg]) -> None:
        for message in messages:
            await _say(message.nak())

    async def _say_in_progress(self) -> None:
        for message in list(self._held.values()):
            await _say(message.in_progress())

    def _reconnected(self) -> None:
        self.broker.forget()
        for intake in self._intakes.values():
            intake.reset()


def _key(claim: Claim) -> str:
    return f"{claim.job_id}:{claim.claim_no}"


def _job_id(data: bytes) -> str | None:
    try:
        job_id = json.loads(data)["job_id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return job_id if isinstance(job_id, str) and is_uuid(job_id) else None


async def _say(answer: object) -> None:
    """Send an answer to the server; if it gets lost, the message comes again and meets its row."""
    try:
        await answer  # type: ignore[misc]
    except (NatsError, OSError) as error:
        logger.debug("an answer to JetStream was not sent: %s", error)
