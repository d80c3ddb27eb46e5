"""The guard inside the connector: what is dialled was judged, and is what was judged."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from framework_m.core.errors import EgressRefusedError
from framework_m.core.webhooks.addresses import Address
from framework_m.core.webhooks.url_policy import Target, UrlPolicy

Lookup = Callable[[str], Awaitable[Sequence[Address]]]
"""All addresses of a name. Raises OSError."""

_THREADS = 16


@dataclass(slots=True)
class Dial:
    """What the present request is about to reach, and why it may not."""

    target: Target
    refusal: EgressRefusedError | None = None


# The connector tells its socket factory an address and not the name that led to it. Its races of
# addresses run as asyncio tasks of their own, which inherit the context.
dialling: ContextVar[Dial | None] = ContextVar("framework_m_dialling", default=None)


class GuardedResolver(AbstractResolver):
    """Answers with addresses that are good, all of them, or not at all."""

    def __init__(self, policy: UrlPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        dial = dialling.get()
        if dial is not None and host != dial.target.host:
            raise EgressRefusedError("the URL is refused: its host can be read in two ways")
        addresses = await self._lookup(host)
        if not addresses:
            raise OSError("no address")
        self._policy.check_answers(host, addresses)
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        """There is nothing to close."""


class GuardedSockets:
    """Makes the sockets, and therefore sees each address at the last moment before it is dialled.

    What was literal in the URL comes here without a resolver, and so would an answer that changed
    after it was judged.
    """

    def __init__(self, policy: UrlPolicy) -> None:
        self._policy = policy

    def __call__(self, wanted: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = wanted
        dial = dialling.get()
        try:
            self._check(ip_address(where[0]), dial.target if dial else None)
        except EgressRefusedError as refusal:
            if dial is not None:
                dial.refusal = refusal
            # The race of addresses minds OSErrors alone.
            raise PermissionError(errno.EACCES, "not allowed") from refusal
        return socket.socket(family, kind, protocol)

    def _check(self, address: Address, target: Target | None) -> None:
        if target is None:
            self._policy.check_address(address)
        elif target.address is None:
            self._policy.check_address(address, target.host)
        elif address == target.address:
            self._policy.check_address(address)
        else:
            raise EgressRefusedError("the URL is refused: its host can be read in two ways")


class SystemLookup:
    """Asks the system, in threads of its own: the loop's are few, and a name that nobody answers
    for keeps one for half a minute."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="egress-lookup")

    async def __call__(self, host: str) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _addresses, host)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Lookups that are under way end by themselves, unheard."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str) -> list[Address]:
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [ip_address(answer[4][0]) for answer in answers]


def _result(host: str, port: int, address: Address) -> ResolveResult:
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    return ResolveResult(
        hostname=host, host=str(address), port=port, family=family, proto=0, flags=0
    )
