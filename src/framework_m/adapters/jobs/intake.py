"""Intake: one worker's messages, from the consumers of its queues, urgent ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.adapters.jobs.jetstream_broker import PRIORITIES
from framework_m.adapters.jobs.rotation import Rotation
from framework_m.core.errors import NatsUnavailableError
from framework_m.core.wakeup import Wakeup

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from framework_m.adapters.jobs.jetstream_broker import JetStreamBroker
    from framework_m.adapters.nats.puller import Puller


class Intake:
    """Never takes more than its worker has room for.

    An empty consumer is left with one waiting request for one message; when that is answered,
    there may be more, and they are fetched at once, in a batch.
    """

    def __init__(self, broker: JetStreamBroker, queues: tuple[str, ...]) -> None:
        self._broker = broker
        self._queues = queues
        self._wakeup = Wakeup()
        self._rotation = Rotation()
        self._pullers: dict[tuple[int, str], Puller] = {
            (priority, queue): broker.puller(queue, priority, self._wakeup.call)
            for priority in PRIORITIES
            for queue in queues
        }

    async def messages(self, limit: int, patience: float) -> list[Msg]:
        """Up to `limit`; empty after so many seconds without any. Raises NatsUnavailableError."""
        await self._mend()
        seen = self._wakeup.calls
        found: list[Msg] = []
        for puller in self._in_turn():
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

    async def close(self) -> list[Msg]:
        left: list[Msg] = []
        for puller in self._pullers.values():
            left += await puller.close()
        return left

    def _in_turn(self) -> list[Puller]:
        queues = self._rotation.next(self._queues)
        return [self._pullers[priority, queue] for priority in PRIORITIES for queue in queues]

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
