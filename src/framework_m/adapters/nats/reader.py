"""StreamReader: reads a stream in order from a place on, through restarts, deletions and gaps."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from framework_m.adapters.nats.puller import Puller
from framework_m.core.errors import NatsUnavailableError
from framework_m.core.ids import uuid7
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from framework_m.adapters.nats.connection import NatsConnection

_INACTIVE = 60.0


class StreamReader:
    """One reader's view. It acknowledges nothing, and remembers where it was by itself.

    stream_id: which stream it was; where another one now has its name, it begins at the beginning.
    """

    def __init__(
        self, connection: NatsConnection, stream: str, subject: str, after: int, stream_id: str
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._subject = subject
        self.after = after
        self.stream_id = stream_id
        self._wakeup = Wakeup()
        self._puller: Puller | None = None
        self._consumer = ""
        self._delivered = 0

    async def open(self) -> None:
        """Begin, or begin anew where it was. Raises NatsUnavailableError."""
        await self._drop()
        try:
            found = await stream_id(self._connection, self._stream)
            if found != self.stream_id:
                self.stream_id, self.after = found, 0
            self._consumer = f"r{uuid7().replace('-', '')}"
            await self._connection.jetstream.add_consumer(self._stream, self._config())
        except (NatsError, OSError, TimeoutError) as error:
            raise NatsUnavailableError(str(error) or type(error).__name__) from error
        self._delivered = 0
        self._puller = Puller(self._connection, self._stream, self._consumer, self._wakeup.call)

    async def read(self, limit: int, patience: float) -> list[Msg]:
        """Up to `limit`; empty after so many seconds without any. Raises NatsUnavailableError."""
        if self._puller is None or self._puller.is_broken:
            await self.open()
        assert self._puller is not None, "it is open"  # noqa: S101
        seen = self._wakeup.calls
        found = await self._puller.collect(limit)
        if not found:
            await self._wakeup.wait_beyond(seen, patience)
        return await self._without_gap(found)

    def interrupt(self) -> None:
        self._wakeup.call()

    def reset(self) -> None:
        """After a reconnect: what was on its way is lost, and is read again."""
        if self._puller is not None:
            self._puller.is_broken = True
        self._wakeup.call()

    async def close(self) -> None:
        await self._drop()

    async def _without_gap(self, messages: list[Msg]) -> list[Msg]:
        for number, message in enumerate(messages):
            sequence = message.metadata.sequence
            if sequence.consumer != self._delivered + 1:
                await self.open()
                return messages[:number]
            self._delivered = sequence.consumer
            self.after = sequence.stream
        return messages

    async def _drop(self) -> None:
        puller, self._puller = self._puller, None
        if puller is None:
            return
        await puller.close()
        if self._connection.is_connected:
            # Nobody waits for it: the server forgets it anyway.
            await self._connection.client.publish(
                f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._consumer}"
            )

    def _config(self) -> ConsumerConfig:
        return ConsumerConfig(
            name=self._consumer,
            filter_subjects=[self._subject],  # one is not: it would become part of a subject
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self.after + 1,
            inactive_threshold=_INACTIVE,
            mem_storage=True,
            num_replicas=1,
        )


async def stream_id(connection: NatsConnection, stream: str) -> str:
    """Tells a stream from another that had its name before: when it was made."""
    return str((await connection.jetstream.stream_info(stream)).created)


async def place_of(connection: NatsConnection, stream: str, start: int | datetime | None) -> int:
    """The sequence after which to read, to begin there. Raises NATS' own errors."""
    if isinstance(start, int):
        return max(0, start - 1)
    last = int((await connection.jetstream.stream_info(stream)).state.last_seq)
    if start is None:
        return last
    probe = ConsumerConfig(
        name=f"p{uuid7().replace('-', '')}",
        ack_policy=AckPolicy.NONE,
        deliver_policy=DeliverPolicy.BY_START_TIME,
        opt_start_time=start,
        inactive_threshold=1.0,
        mem_storage=True,
    )
    info = await connection.jetstream.add_consumer(stream, probe)
    return int(info.delivered.stream_seq) if info.delivered else last
