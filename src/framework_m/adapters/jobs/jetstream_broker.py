"""JetStreamBroker: taskiq-nats' pull broker, with its faults mended.

Mended (taskiq-nats 0.7): no in-progress acknowledgement, so that long jobs are redelivered while
they run; a pull that is deaf after a restart of the server; any error of listening ends the
worker; one consumer with a batch that starts nothing until it is full; a stream that keeps every
message for ever; delays ignored; a consumer or stream that is gone is never made again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC
from itertools import product
from typing import TYPE_CHECKING, Any

from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError
from taskiq_nats import PullBasedJetStreamBroker

from framework_m.adapters.nats import streams
from framework_m.adapters.nats.parking import park
from framework_m.adapters.nats.puller import Puller
from framework_m.core.errors import NatsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from nats.aio.msg import Msg
    from nats.js.api import PubAck

    from framework_m.adapters.nats.connection import NatsConnection
    from framework_m.core.interfaces.job_store import Dispatch

logger = logging.getLogger(__name__)

PRIORITIES = (1, 2, 3, 4)
_MAX_ACK_PENDING = 50_000
_PUBLISH_TIMEOUT = 5.0


class JetStreamBroker(PullBasedJetStreamBroker):
    """Carries job ids; the application's own broker, a JobBroker, is another.

    A work-queue stream, with a durable pull consumer per queue and priority for all workers.
    """

    def __init__(
        self,
        connection: NatsConnection,
        prefix: str,
        limits: streams.StreamLimits,
        *,
        ack_wait: float,
    ) -> None:
        """`ack_wait`: seconds without a sign of life after which a message is delivered again."""
        super().__init__(servers=list(connection.options.servers))
        self.connection = connection
        self._prefix = prefix
        self._limits = limits
        self.ack_wait = ack_wait
        self._jobs = streams.jobs_stream(prefix)
        self._parked = streams.parked_stream(prefix)
        self._ensured: set[str] = set()
        self._ensuring = asyncio.Lock()

    async def startup(self) -> None:
        """Connect and see to the streams."""
        await self.open()

    async def shutdown(self) -> None:
        """Nothing: the connection belongs to the application."""

    async def open(self) -> None:
        """Raises NatsUnavailableError."""
        await self.connection.open()
        await self.ensure(())

    def forget(self) -> None:
        """What was ensured may be gone: look again before the next use."""
        self._ensured.clear()

    async def ensure(self, queues: Sequence[str]) -> None:
        """Create what is missing of the streams and of these queues' consumers."""
        async with self._ensuring:
            # All at once: in a cluster each has a leader of its own, and may be without one.
            if "" not in self._ensured:
                await asyncio.gather(*map(self._ensure_stream, (self._jobs, self._parked)))
                self._ensured.add("")
            missing = [queue for queue in queues if queue not in self._ensured]
            await asyncio.gather(
                *(self._ensure_consumer(*which) for which in product(missing, PRIORITIES))
            )
            self._ensured.update(missing)

    def puller(self, queue: str, priority: int, arrived: Callable[[], None]) -> Puller:
        return Puller(self.connection, self._jobs.name, _consumer(queue, priority), arrived)

    async def publish(self, jobs: Sequence[Dispatch]) -> None:
        """Hand jobs over, all under way at once; returns when the server has stored every one.

        Raises NatsUnavailableError if it did not say so of any of them.
        """
        if not self.connection.is_connected:
            raise NatsUnavailableError("reconnecting")  # at once, not after a time-out
        stored: list[asyncio.Future[PubAck]] = []
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT):
                for job in jobs:
                    stored.append(await self._publish(job))
                await asyncio.gather(*stored)
        except (NatsError, OSError, TimeoutError) as error:
            self.forget()
            raise NatsUnavailableError(str(error) or type(error).__name__) from error
        finally:
            for answer in stored:
                answer.cancel()  # one that never comes would hold its place among the pending

    async def _publish(self, job: Dispatch) -> asyncio.Future[PubAck]:
        """Send, without waiting for the answer."""
        return await self.connection.jetstream.publish_async(
            self._subject(job), _payload(job), headers=self._headers(job)
        )

    async def park(self, message: Msg, reason: str) -> None:
        """Keep a message that is not ours, with the reason; then, and only then, let go of it."""
        await park(self.connection.jetstream, message, f"{self._prefix}.parked.jobs", reason)

    async def report_streams(self) -> list[streams.StreamReport]:
        """See to the streams, and tell of them. Raises NatsUnavailableError."""
        await self.connection.open()
        reports = []
        for spec in (self._jobs, self._parked):
            drift = await self._ensure_stream(spec)
            reports.append(streams.report(spec, drift))
        return reports

    async def idle(self, queue: str) -> bool:
        """Whether no message of this queue waits or is being worked on."""
        try:
            for priority in PRIORITIES:
                info = await self.connection.jetstream.consumer_info(
                    self._jobs.name, _consumer(queue, priority)
                )
                if info.num_pending or info.num_ack_pending:
                    return False
        except NotFoundError:
            self.forget()
            await self.ensure([queue])
            return False  # what the stream still holds is only now counted
        except (NatsError, OSError, TimeoutError) as error:
            raise NatsUnavailableError(str(error) or type(error).__name__) from error
        return True

    async def _ensure_stream(self, spec: streams.StreamSpec) -> list[str]:
        return await streams.ensure(self.connection.jetstream, spec, self._limits)

    async def _ensure_consumer(self, queue: str, priority: int) -> None:
        config = ConsumerConfig(
            durable_name=_consumer(queue, priority),
            filter_subject=f"{self._prefix}.jobs.{queue}.{priority}",
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.ack_wait,
            max_deliver=-1,
            max_ack_pending=_MAX_ACK_PENDING,
        )
        try:
            await self.connection.jetstream.add_consumer(self._jobs.name, config)
        except (NatsError, OSError, TimeoutError) as error:
            self.forget()
            raise NatsUnavailableError(
                f"consumer {config.durable_name}: {str(error) or type(error).__name__}"
            ) from error

    def _subject(self, job: Dispatch) -> str:
        """A message with a due time waits under a subject that nobody consumes."""
        return self._target(job) if job.due_at is None else f"{self._prefix}.jobs.at.{job.job_id}"

    def _target(self, job: Dispatch) -> str:
        return f"{self._prefix}.jobs.{job.queue}.{job.priority}"

    def _headers(self, job: Dispatch) -> dict[str, Any]:
        # Best effort, for a publish that is repeated because its answer got lost; the claim
        # decides.
        headers = {"Nats-Msg-Id": f"{job.job_id}:{job.claim_no}{job.again}"}
        if job.due_at is not None:
            # The server delivers it (NATS ADR-51); one that is overdue at once.
            headers["Nats-Schedule"] = f"@at {_rfc3339(job.due_at)}"
            headers["Nats-Schedule-Target"] = self._target(job)
        return headers


def _consumer(queue: str, priority: int) -> str:
    return f"{queue}_{priority}"


def _payload(job: Dispatch) -> bytes:
    return json.dumps({"job_id": job.job_id, "job_name": job.job_name}).encode()


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
