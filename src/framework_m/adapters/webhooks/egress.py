"""Egress: the one client for everything that leaves. httpx's API, aiohttp's transport, our guard
in its connector."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from pathlib import Path

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from framework_m.adapters.webhooks.connector import GuardedConnector
from framework_m.adapters.webhooks.exchange import EgressLimits, Exchange
from framework_m.adapters.webhooks.guard import Lookup, SystemLookup
from framework_m.adapters.webhooks.places import Places
from framework_m.core.errors import EgressRefusedError
from framework_m.core.interfaces.webhook_sender import Answer, OutgoingRequest
from framework_m.core.webhooks.headers import merged
from framework_m.core.webhooks.url_policy import Target, UrlPolicy

METHODS = frozenset({"POST", "PUT", "PATCH"})

_OUR_HEADERS = {
    "user-agent": "Framework-M",
    # Nothing is unpacked, so nothing that is packed can be a bomb; and what was sent plain can be
    # read in the log.
    "accept-encoding": "identity",
}
_SET_BY_AIOHTTP = ("Accept", "Accept-Encoding", "User-Agent")

_URLS_REMEMBERED = 1024
# aiohttp warns of larger bodies in one piece, because they keep the loop busy.
_LARGE = 512 * 1024
_PART = 64 * 1024


class Egress:
    """Implements WebhookSender, in the event loop of its first request.

    ca_file: certificates to trust besides those that are publicly known; nothing turns checking
    off. lookup: who is asked for the addresses of names. now: seconds on a clock that only goes
    forward.
    """

    def __init__(
        self,
        policy: UrlPolicy,
        *,
        limits: EgressLimits | None = None,
        ca_file: Path | None = None,
        lookup: Lookup | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._policy = policy
        self._limits = limits or EgressLimits()
        self._now = now
        self._system = SystemLookup()
        self._lookup = lookup or self._system
        self._tls = _tls(ca_file)
        self._places = Places(self._limits.at_once, self._limits.at_once_per_host)
        self._transport = AiohttpTransport(
            verify=self._tls, trust_env=False, client=self._open_session
        )
        self._read = lru_cache(_URLS_REMEMBERED)(self._read_url)

    async def send(self, request: OutgoingRequest) -> Answer:
        """One attempt; the answer holds the error, if there was one."""
        try:
            target, url = self._read(request.url)
            outgoing = self._outgoing(request, url)
        except EgressRefusedError as refusal:
            return Answer(error=refusal)
        async with self._places.taken(target.host):
            exchange = Exchange(self._transport, self._limits, target, self._now)
            return await exchange.run(outgoing, request.timeout)

    async def close(self) -> None:
        """Close all connections. What is still being sent fails."""
        await self._transport.aclose()
        self._system.close()

    def _read_url(self, text: str) -> tuple[Target, httpx.URL]:
        target = self._policy.check(text)
        try:
            url = httpx.URL(target.url)
        except httpx.InvalidURL:
            raise EgressRefusedError("the URL is refused: it is not valid") from None
        read_again = (url.scheme, url.raw_host.decode("ascii"), url.port or target.port)
        if read_again != (target.scheme, target.host, target.port):
            raise EgressRefusedError("the URL is refused: its host can be read in two ways")
        return target, url

    def _outgoing(self, request: OutgoingRequest, url: httpx.URL) -> httpx.Request:
        if request.method not in METHODS:
            raise EgressRefusedError(f"the method is refused: none of {', '.join(sorted(METHODS))}")
        headers = merged({**request.headers, **_OUR_HEADERS}, request.user_headers)
        extensions = {"timeout": {"connect": self._limits.connect}}
        if len(request.body) > _LARGE:
            headers["content-length"] = str(len(request.body))
            stream: httpx.AsyncByteStream = _InParts(request.body)
        else:
            stream = httpx.ByteStream(request.body)
        # With a stream of its own, because httpx would work out Host and Content-Length, as
        # aiohttp does anyway, and copy all headers for it twice.
        outgoing = httpx.Request(
            request.method, url, headers=headers, stream=stream, extensions=extensions
        )
        if isinstance(stream, httpx.ByteStream):
            outgoing.read()
        return outgoing

    def _open_session(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=GuardedConnector(self._policy, self._lookup, self._tls),
            trust_env=False,  # no proxies, no .netrc
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_SET_BY_AIOHTTP,
            read_bufsize=self._limits.body,
            max_line_size=self._limits.header,
            max_field_size=self._limits.header,
            max_headers=self._limits.headers,
        )
        # It would send a PUT again by itself when the connection breaks. An attempt is one request.
        session._retry_connection = False
        return session


class _InParts(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), _PART):
            yield self._body[start : start + _PART]


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
