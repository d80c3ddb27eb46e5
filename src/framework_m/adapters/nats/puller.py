"""Pulling from one durable consumer, without losing what was asked for.

nats-py's own `fetch` cannot be interrupted without stranding messages that are on their way until
their ack_wait; here answers arrive in an inbox that is always read, and a request is a promise of
the server, not a coroutine. Protocol: NATS ADR-13 (pull requests and their status messages).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from framework_m.core.errors import NatsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from framework_m.adapters.nats.connection import NatsConnection

logger = logging.getLogger(__name__)

_PATIENCE = 10.0
"""How long the server holds a request open for the first message."""
_ANSWER_TIMEOUT = 2.0
_HEARTBEAT = 2.0
"""How often the server says that a request still waits: one whose node died says nothing."""
_SILENCE = 2 * _HEARTBEAT + 1.0
_ALIVE = "100"
_NO_MESSAGES, _EXPIRED = "404", "408"
_STATUS = "Status"


class Puller:
    """Asks one consumer for messages; `arrived` is called when some came or something changed."""

    def __init__(
        self, connection: NatsConnection, stream: str, consumer: str, arrived: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._arrived = arrived
        self._numbers = itertools.count()
        self._messages: deque[Msg] = deque()
        self._subscription: Subscription | None = None
        self._inbox = ""
        self._waiting: str | None = None
        """The reply subject of the request that waits for a first message."""
        self._waiting_until = 0.0
        self._burst: tuple[str, asyncio.Future[None]] | None = None
        self._burst_left = 0
        self.is_broken = False
        """The consumer, its stream or JetStream itself is gone."""

    @property
    def may_have_more(self) -> bool:
        """False while a request waits: the server would have answered it with any message."""
        return self._waiting is None or time.monotonic() >= self._waiting_until

    def take(self, limit: int) -> list[Msg]:
        """Messages that have arrived."""
        return [self._messages.popleft() for _ in range(min(limit, len(self._messages)))]

    async def collect(self, limit: int) -> list[Msg]:
        """Up to `limit` of those that are there; where there are fewer, the next is asked for.

        Raises NatsUnavailableError.
        """
        found = self.take(limit)
        if len(found) < limit and self.may_have_more:
            await self.fetch_now(limit - len(found))
            found += self.take(limit - len(found))
            if len(found) < limit:
                await self.wait_for_one()
        return found

    def reset(self) -> None:
        """The server has forgotten what it was asked: after a reconnect."""
        self._waiting = None
        self.is_broken = False
        self._end_burst()
        self._arrived()

    async def fetch_now(self, limit: int) -> None:
        """Get up to `limit` of the messages that are there now. Raises NatsUnavailableError."""
        reply = await self._reply()
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._burst, self._burst_left = (reply, answered), limit
        await self._ask(reply, {"batch": limit, "no_wait": True})
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                await answered
        except TimeoutError as error:
            self.is_broken = True
            raise NatsUnavailableError("no answer to a pull request") from error
        finally:
            self._burst = None

    async def wait_for_one(self) -> None:
        """Leave a request for the next message. Raises NatsUnavailableError."""
        reply = await self._reply()
        self._waiting = reply
        self._still_waits()
        await self._ask(
            reply,
            {"batch": 1, "expires": int(_PATIENCE * 1e9), "idle_heartbeat": int(_HEARTBEAT * 1e9)},
        )

    async def close(self) -> list[Msg]:
        """Stop; the messages that nobody took, those on their way here included."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and self._connection.is_connected:
            try:
                async with asyncio.timeout(_ANSWER_TIMEOUT):
                    await subscription.drain()  # type: ignore[no-untyped-call]
            except (NatsError, OSError, TimeoutError) as error:
                # The server forgets the request with the connection, or when it expires.
                logger.debug("a pull was not taken back: %s", error)
        return self.take(len(self._messages))

    async def _reply(self) -> str:
        if self._subscription is None:
            client = self._connection.client
            self._inbox = client.new_inbox()
            self._subscription = await client.subscribe(f"{self._inbox}.*", cb=self._on_message)
        return f"{self._inbox}.{next(self._numbers)}"

    async def _ask(self, reply: str, request: dict[str, int | bool]) -> None:
        try:
            await self._connection.client.publish(
                self._subject, json.dumps(request).encode(), reply=reply
            )
        except (NatsError, OSError) as error:
            raise NatsUnavailableError(str(error) or type(error).__name__) from error

    async def _on_message(self, message: Msg) -> None:
        if message.reply:
            self._messages.append(message)
            self._on_job()
        elif message.headers and _STATUS in message.headers:
            self._on_status(message.subject, message.headers[_STATUS])

    def _on_job(self) -> None:
        # Never both at once: a burst is asked for only when no request waits.
        if self._burst is None:
            self._waiting = None
        else:
            self._burst_left -= 1
            if not self._burst_left:
                self._end_burst()
        self._arrived()

    def _on_status(self, subject: str, status: str) -> None:
        if status == _ALIVE:
            if subject == self._waiting:
                self._still_waits()
            return
        if status not in (_NO_MESSAGES, _EXPIRED):
            self.is_broken = True
        if subject == self._waiting:
            self._waiting = None
        if self._burst is not None and subject == self._burst[0]:
            self._end_burst()
        self._arrived()

    def _still_waits(self) -> None:
        # Should the server forget it without a word, it is asked again.
        self._waiting_until = time.monotonic() + _SILENCE

    def _end_burst(self) -> None:
        if self._burst is not None and not self._burst[1].done():
            self._burst[1].set_result(None)
