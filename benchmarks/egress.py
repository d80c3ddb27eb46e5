"""What the guarded client costs: POSTs to one receiver on loopback, 50 at a time.

`python -m benchmarks.egress [rounds]`

Each client in turn, round by round, so that what else the machine does falls on all of them. The
receiver is a process of its own and answers at once; 1 kB with the headers of a signed webhook.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from statistics import median
from typing import Any

import aiohttp
import httpx
import uvloop
from httpx_aiohttp import HttpxAiohttpClient

from framework_m.adapters.webhooks.egress import Egress
from framework_m.core.interfaces.webhook_sender import OutgoingRequest
from framework_m.core.webhooks.url_policy import UrlPolicy

ROUNDS = 7
AT_ONCE = 50
WINDOW = 1.5
"""Seconds per client and round."""

BODY = b'{"type": "invoice.created", "data": "' + b"x" * (1024 - 39) + b'"}'
HEADERS = {
    "content-type": "application/json",
    "webhook-id": "msg_0199f0d2-7a3e-7c4b-9f10-3b6c1d2e4f5a",
    "webhook-timestamp": "1760000000",
    "webhook-signature": "v1," + "K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"

Send = Callable[[], Awaitable[None]]


class _Receiver(asyncio.Protocol):
    """Answers as soon as a request is whole. Nothing a receiver does should be measured."""

    def __init__(self) -> None:
        self._held = b""
        self._transport: Any = None  # uvloop's are none of asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._held) < end + 4 + length:
                return
            self._held = self._held[end + 4 + length :]
            self._transport.write(ANSWER)


async def _receive() -> None:
    server = await asyncio.get_running_loop().create_server(_Receiver, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.asynccontextmanager
async def _plain_httpx(url: str) -> AsyncIterator[Send]:
    async with httpx.AsyncClient(trust_env=False) as client:

        async def send() -> None:
            answer = await client.post(url, content=BODY, headers=HEADERS)
            assert answer.status_code == 200

        yield send


@contextlib.asynccontextmanager
async def _plain_aiohttp(url: str) -> AsyncIterator[Send]:
    async with aiohttp.ClientSession() as client:

        async def send() -> None:
            async with client.post(url, data=BODY, headers=HEADERS) as answer:
                await answer.read()
                assert answer.status == 200

        yield send


@contextlib.asynccontextmanager
async def _unguarded(url: str) -> AsyncIterator[Send]:
    async with HttpxAiohttpClient(trust_env=False) as client:

        async def send() -> None:
            answer = await client.post(url, content=BODY, headers=HEADERS)
            assert answer.status_code == 200

        yield send


@contextlib.asynccontextmanager
async def _ours(url: str) -> AsyncIterator[Send]:
    egress = Egress(UrlPolicy(allow_http=True, allow_private=True))

    async def send() -> None:
        answer = await egress.send(OutgoingRequest(url, BODY, headers=HEADERS))
        assert answer.status == 200

    try:
        yield send
    finally:
        await egress.close()


CLIENTS = {
    "httpx": _plain_httpx,
    "aiohttp": _plain_aiohttp,
    "httpx-aiohttp": _unguarded,
    "ours": _ours,
}


def run(rounds: int = ROUNDS) -> None:
    command = [sys.executable, "-m", "benchmarks.egress", "--receive"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        try:
            assert receiver.stdout is not None
            port = receiver.stdout.readline().strip()
            uvloop.run(_compare(f"http://127.0.0.1:{port}/hooks", rounds))
        finally:
            receiver.terminate()


async def _compare(url: str, rounds: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in CLIENTS}
    for _ in range(rounds):
        for name, client in CLIENTS.items():
            async with client(url) as send:
                rates[name].append(await _rate(send))
    print(f"{'':<16} {'requests/s':>10} {'times httpx':>12} {'times httpx-aiohttp':>20}")
    for name in CLIENTS:
        print(
            f"{name:<16} {median(rates[name]):>10,.0f} {_ratio(rates, name, 'httpx'):>12.1f}"
            f" {_ratio(rates, name, 'httpx-aiohttp'):>20.2f}"
        )


def _ratio(rates: dict[str, list[float]], name: str, other: str) -> float:
    """The median of the rounds' own ratios."""
    return median(a / b for a, b in zip(rates[name], rates[other], strict=True))


async def _rate(send: Send) -> float:
    await asyncio.gather(*(send() for _ in range(AT_ONCE)))  # connections and caches are made
    sent, end = 0, time.perf_counter() + WINDOW

    async def keep_sending() -> None:
        nonlocal sent
        while time.perf_counter() < end:
            await send()
            sent += 1

    began = time.perf_counter()
    await asyncio.gather(*(keep_sending() for _ in range(AT_ONCE)))
    return sent / (time.perf_counter() - began)


if __name__ == "__main__":
    if sys.argv[1:] == ["--receive"]:
        uvloop.run(_receive())
    else:
        run(*(int(argument) for argument in sys.argv[1:]))
