"""One exchange: a request, and as much of its answer as is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from framework_m.adapters.webhooks.failures import ANY_FAILURE, meaning_of
from framework_m.adapters.webhooks.guard import Dial, dialling
from framework_m.core.errors import EgressError, EgressTimeoutError
from framework_m.core.interfaces.webhook_sender import Answer

if TYPE_CHECKING:
    import httpx

    from framework_m.core.webhooks.url_policy import Target


@dataclass(frozen=True, slots=True)
class EgressLimits:
    """How much, how long and how many. Times in seconds, sizes in bytes.

    total: from connecting to the end of the answer, unless the request has its own.
    first_byte: until status and headers have come; None leaves it to `total`.
    body: how much of an answer is read; of larger ones the rest is never fetched.
    header: the longest line. headers: the most of them. kept_headers: bytes that an Answer holds.
    """

    total: float = 30.0
    connect: float = 10.0
    first_byte: float | None = None
    body: int = 16 * 1024
    header: int = 8 * 1024
    headers: int = 64
    kept_headers: int = 16 * 1024
    at_once: int = 100
    at_once_per_host: int = 50


class Exchange:
    """Runs once."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        limits: EgressLimits,
        target: Target,
        now: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._dial = Dial(target)
        self._now = now
        self._status: int | None = None
        self._headers: tuple[tuple[str, str], ...] = ()
        self._body = bytearray()
        self._is_cut = False

    async def run(self, request: httpx.Request, total: float | None) -> Answer:
        """Errors are in the answer, with what had come before them."""
        error: EgressError | None = None
        token = dialling.set(self._dial)
        began = self._now()
        try:
            await self._run(request, self._limits.total if total is None else total)
        except EgressError as refusal:
            error = refusal
        except ANY_FAILURE as failure:
            error = self._dial.refusal or self._meaning_of(failure)
        finally:
            dialling.reset(token)
        duration = self._now() - began
        return Answer(self._status, self._headers, bytes(self._body), self._is_cut, duration, error)

    async def _run(self, request: httpx.Request, total: float) -> None:
        began = asyncio.get_running_loop().time()
        first = total if self._limits.first_byte is None else self._limits.first_byte
        deadline = asyncio.timeout_at(began + min(first, total))
        try:
            async with deadline:
                response = await self._transport.handle_async_request(request)
                try:
                    self._take_head(response)
                    if first < total:
                        deadline.reschedule(began + total)
                    await self._take_body(response)
                finally:
                    # Where something is left of the answer, this closes the connection.
                    await response.aclose()
        except TimeoutError as error:
            if deadline.expired():
                raise self._too_slow(min(first, total), total) from error
            raise

    def _take_head(self, response: httpx.Response) -> None:
        self._status = response.status_code
        room, kept = self._limits.kept_headers, []
        for name, value in response.headers.raw:
            room -= len(name) + len(value)
            if room < 0:
                break
            kept.append((name.decode("latin-1").lower(), value.decode("latin-1")))
        self._headers = tuple(kept)

    async def _take_body(self, response: httpx.Response) -> None:
        # Not by aiter_raw, which would count and cut anew what comes in fair pieces.
        stream = cast("httpx.AsyncByteStream", response.stream)
        parts = cast("AsyncGenerator[bytes, None]", aiter(stream))
        async with aclosing(parts):
            async for part in parts:
                room = self._limits.body - len(self._body)
                self._body += part[:room]
                if len(part) > room:
                    self._is_cut = True
                    return

    def _too_slow(self, first: float, total: float) -> EgressTimeoutError:
        host = self._dial.target.host
        if self._status is None:
            return EgressTimeoutError(f"{host} did not answer within {first:g} s")
        return EgressTimeoutError(f"{host} did not end its answer within {total:g} s")

    def _meaning_of(self, failure: Exception) -> EgressError:
        answered = self._status is not None
        return meaning_of(failure, self._dial.target.host, answered=answered)
