"""Intake: one worker's messages, from the consumers of its queues."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from framework_m.adapters.jobs.jetstream_broker import PRIORITIES
from framework_m.core.errors import NatsUnavailableError
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nats.aio.msg import Msg

    from framework_m.adapters.jobs.jetstream_broker import JetStreamBroker
    from framework_m.adapters.nats.puller import Puller


class Intake:
    """Never takes more than its worker has room for.

    An empty consumer is left with one waiting request for one message; when that is answered,
    there may be more, and they are fetched at once, in a batch.
    """

    def __init__(self, broker: JetStreamBroker) -> None:
        self._broker = broker
        self._queues: tuple[str, ...] = ()
        self._wakeup = Wakeup()
        self._pullers: dict[tuple[str, int], Puller] = {}
        """By queue and priority."""

    async def serve(self, queues: tuple[str, ...]) -> Sequence[Msg]:
        """Take from these from now on, in this order; what had come from others meanwhile."""
        others = self._pullers.keys() - {(queue, it) for queue in queues for it in PRIORITIES}
        self._queues = queues
        for queue in queues:
            for priority in PRIORITIES:
                if (queue, priority) not in self._pullers:
                    self._pullers[queue, priority] = self._broker.puller(
                        queue, priority, self._wakeup.call
                    )
        return await _closed([self._pullers.pop(other) for other in others])

    async def messages(self, limit: int, patience: float) -> list[Msg]:
        """Up to `limit`, queue by queue, and in each the urgent ones first.

        Empty after so many seconds without any. Raises NatsUnavailableError.
        """
        seen = self._wakeup.calls
        in_order = [self._pullers[queue, it] for queue in self._queues for it in PRIORITIES]
        await self._mend()
        found: list[Msg] = []
        for puller in in_order:
            if len(found) < limit:
                found += await puller.collect(limit - len(found))
        if not found:
            await self._wakeup.wait_beyond(seen, patience)
        return found

    def interrupt(self) -> None:
        self._wakeup.call()

    def reset(self) -> None:
        for puller in self._pullers.values():
            puller.reset()

    async def close(self) -> Sequence[Msg]:
        pullers, self._pullers = list(self._pullers.values()), {}
        return await _closed(pullers)

    async def _mend(self) -> None:
        """Make anew what is gone, and ask again."""
        if not self._broker.connection.is_connected:
            await self._broker.connection.open()
            if not self._broker.connection.is_connected:
                raise NatsUnavailableError("reconnecting")
        if any(puller.is_broken for puller in self._pullers.values()):
            self._broker.forget()
        await self._broker.ensure(self._queues)
        for puller in self._pullers.values():
            if puller.is_broken:
                puller.reset()


async def _closed(pullers: Collection[Puller]) -> Sequence[Msg]:
    left = await asyncio.gather(*(puller.close() for puller in pullers))
    return [message for messages in left for message in messages]
