"""Publishing to JetStream, pipelined: one inbox for all answers, one wait for all of a batch.

nats-py's `publish_async` makes a unique inbox, a future and a semaphore's turn per message; this
makes a number. Many messages go as one atomic batch (NATS ADR-50), which the server answers once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError

from framework_m.core.errors import FieldError, InvalidEventError, NatsUnavailableError
from framework_m.core.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from framework_m.adapters.nats.connection import NatsConnection

logger = logging.getLogger(__name__)

_TIMEOUT = 5.0
_WORTH_A_BATCH = 8
_LARGEST_BATCH = 1000
_LARGEST_BATCH_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message, complete."""

    subject: str
    data: bytes
    headers: dict[str, str]


class RefusedBatchError(Exception):
    """The server takes no part of this batch; each message may be fine alone."""


class _Answers:
    """Those to one batch: counted, and the first error kept."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, message: Msg) -> None:
        if self.done.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            self.done.set_exception(NatsUnavailableError("no stream takes this subject"))
            return
        if b'"error"' in message.data:
            error = json.loads(message.data).get("error") or {}
            told = f"{error.get('description', 'refused')} ({error.get('err_code', '?')})"
            self.done.set_exception(RefusedBatchError(told))
            return
        self.left -= 1
        if not self.left:
            self.done.set_result(None)


class Publisher:
    """Returns from `publish` when the server has stored every message of the call."""

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._client: Any = None
        self._numbers = itertools.count()
        self._waiting: dict[str, _Answers] = {}
        self._may_batch = True

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """In this order. Raises NatsUnavailableError, InvalidEventError (too large)."""
        if not self._connection.is_connected:
            raise NatsUnavailableError("reconnecting")  # at once, not after a time-out
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._open()
                for part in _parts(messages):
                    await self._publish_part(part)
        except MaxPayloadError as error:
            wrong = FieldError("data", "is larger than the server takes")
            raise InvalidEventError("on NATS", [wrong]) from error
        except (NatsError, OSError, TimeoutError, RefusedBatchError) as error:
            raise NatsUnavailableError(str(error) or type(error).__name__) from error

    async def _publish_part(self, messages: Sequence[Outgoing]) -> None:
        if self._may_batch and len(messages) >= _WORTH_A_BATCH:
            try:
                await self._publish_atomically(messages)
                return
            except RefusedBatchError as error:
                # For one duplicate the whole is refused; or the server is too old for it.
                logger.debug("a batch goes message by message: %s", error)
        answers = _Answers(len(messages))
        for message in messages:
            await self._send(message.subject, message.data, message.headers, answers)
        await answers.done

    async def _publish_atomically(self, messages: Sequence[Outgoing]) -> None:
        batch_id = uuid7()
        begun, stored = _Answers(1), _Answers(1)
        last = len(messages)
        for number, message in enumerate(messages, 1):
            headers = {
                **message.headers,
                "Nats-Batch-Id": batch_id,
                "Nats-Batch-Sequence": str(number),
            }
            answers = None
            if number == last:
                headers["Nats-Batch-Commit"] = "1"
                answers = stored
            elif number == 1:
                answers = begun
            await self._send(message.subject, message.data, headers, answers)
            if number == 1:
                await begun.done  # an old server stores it, and says so; a new one says nothing
        await stored.done

    async def _send(
        self, subject: str, data: bytes, headers: dict[str, str], answers: _Answers | None
    ) -> None:
        reply = ""
        if answers is not None:
            token = str(next(self._numbers))
            self._waiting[token] = answers
            reply = f"{self._inbox}.{token}"
        await _put(self._connection.client, subject, reply, headers, data)

    async def _open(self) -> None:
        client = self._connection.client
        if self._client is not client:  # the first time, or connected anew from nothing
            self._client = client
            self._waiting.clear()
            self._inbox = client.new_inbox()
            self._subscription = await client.subscribe(f"{self._inbox}.*", cb=self._on_answer)

    async def _on_answer(self, message: Msg) -> None:
        answers = self._waiting.pop(message.subject.rpartition(".")[2], None)
        if answers is not None:
            answers.take(message)


async def _put(
    client: Client, subject: str, reply: str, headers: dict[str, str], data: bytes
) -> None:
    """What `client.publish` does, for headers that are known to be well formed.

    Their checks cost nats-py more than everything else that publishing costs.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or not client.is_connected:
        await client.publish(subject, data, reply=reply, headers=headers)
        return
    if len(data) > client.max_payload:
        raise MaxPayloadError
    block = f"NATS/1.0\r\n{lines}\r\n".encode()
    sizes = f"{len(block)} {len(block) + len(data)}"
    command = f"HPUB {subject} {reply} {sizes}\r\n".encode()
    await client._send_command(b"%b%b%b\r\n" % (command, block, data))
    if client._flush_queue is not None and client._flush_queue.empty():
        await client._flush_pending()


def _parts(messages: Sequence[Outgoing]) -> list[list[Outgoing]]:
    """In pieces that the server takes at once."""
    parts: list[list[Outgoing]] = []
    size = 0
    for message in messages:
        size += len(message.data)
        full = not parts or len(parts[-1]) >= _LARGEST_BATCH or size > _LARGEST_BATCH_BYTES
        if full:
            parts.append([])
            size = len(message.data)
        parts[-1].append(message)
    return parts
