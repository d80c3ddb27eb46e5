"""Receivers of webhooks on loopback, well-behaved and otherwise, that count who connects."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[["Conversation"], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PART = b"x" * 65536


@dataclass
class Receiver:
    """What has been seen; `url` is where to send."""

    port: int = 0
    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody's request has come."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody has closed his connection."""


class Conversation:
    """One connection, from the receiver's side."""

    def __init__(
        self, receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.receiver = receiver
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Read one request. Raises IncompleteReadError when the client goes."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await self.reader.readexactly(int(length[1])) if length else b""
        self.receiver.requests.append(head + body)
        self.receiver.asked.set()
        return head + body

    async def say(self, content: bytes) -> None:
        """Raises ConnectionError when nobody listens any more."""
        self.writer.write(content)
        await self.writer.drain()

    async def wait_for_the_end(self) -> None:
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """Close so that the other side sees a reset and no end."""
        made = self.writer.get_extra_info("socket")
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def receiving(
    behaviour: Behaviour,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Receiver]:
    """A server while the block runs."""
    receiver = Receiver()
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this is not None
        talks.add(this)
        receiver.connections += 1
        try:
            await behaviour(Conversation(receiver, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the client has gone, or the test has ended
        finally:
            receiver.left.set()
            writer.transport.abort()
            talks.discard(this)

    server = await asyncio.start_server(talk, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    scheme = "http" if tls is None else "https"
    receiver.url = f"{scheme}://{'localhost' if tls else host}:{receiver.port}/in"
    try:
        yield receiver
    finally:
        server.close()
        for one in list(talks):
            one.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


def answering(answer: bytes = OK) -> Behaviour:
    """The same to each request, on a connection that stays."""

    async def behave(talk: Conversation) -> None:
        while True:
            await talk.request()
            await talk.say(answer)

    return behave


def saying_once(answer: bytes) -> Behaviour:
    """Once, and then the end."""

    async def behave(talk: Conversation) -> None:
        await talk.request()
        await talk.say(answer)

    return behave


def hanging(after: bytes = b"") -> Behaviour:
    """Says so much, and nothing more."""

    async def behave(talk: Conversation) -> None:
        await talk.request()
        await talk.say(after)
        await talk.wait_for_the_end()

    return behave


def repeating(begin: bytes, part: bytes, pause: float | None = None) -> Behaviour:
    """Says the beginning, and then the part again and again."""

    async def behave(talk: Conversation) -> None:
        await talk.request()
        await talk.say(begin)
        while True:
            await talk.say(part)
            if pause is not None:
                await asyncio.sleep(pause)

    return behave


async def deaf(talk: Conversation) -> None:
    """Accepts, and reads nothing."""
    await asyncio.Event().wait()


async def resetting(talk: Conversation) -> None:
    await talk.request()
    talk.reset()


async def resetting_in_the_middle(talk: Conversation) -> None:
    await talk.request()
    await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
    talk.reset()


def huge(length: int = 10**12) -> Behaviour:
    """As much as anybody takes."""
    return repeating(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length, _PART)


def bomb() -> Behaviour:
    """A few hundred bytes that unpack to a hundred megabytes."""
    packed = gzip.compress(gzip.compress(bytes(10**8)), 9)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n"
    return answering(head % len(packed) + packed)
