"""The connector: guarded when it dials, and bounded in what it lets a receiver say."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage

from framework_m.adapters.webhooks.guard import GuardedResolver, GuardedSockets, Lookup

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from aiohttp.http_parser import RawResponseMessage
    from aiohttp.streams import StreamReader

    from framework_m.core.webhooks.url_policy import UrlPolicy

# Shorter than the five seconds after which common servers close: else a request meets their close.
_KEEP_ALIVE = 4.0
_NAMES_GOOD_FOR = 10
_MOST_BEGINNINGS = 8
_SWITCHING = 101


class GuardedConnector(aiohttp.TCPConnector):
    """Dials what the policy lets it dial."""

    def __init__(self, policy: UrlPolicy, lookup: Lookup, tls: ssl.SSLContext) -> None:
        super().__init__(
            resolver=GuardedResolver(policy, lookup),
            socket_factory=GuardedSockets(policy),
            ssl=tls,
            limit=0,  # Places says how many
            keepalive_timeout=_KEEP_ALIVE,
            ttl_dns_cache=_NAMES_GOOD_FOR,
        )
        make: Callable[..., ResponseHandler] = BoundedAnswers
        self._factory = partial(make, loop=asyncio.get_running_loop())


class BoundedAnswers(ResponseHandler):
    """Takes one answer for one request, after a few that only announce it (1xx).

    aiohttp keeps whatever comes, faster than it looks at it, and also while the connection waits
    in the pool: hundreds of megabytes in a second, and answers to requests that are yet to be made.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._beginnings = 0
        self._is_answered = False

    def set_response_params(self, **options: Any) -> None:
        self._beginnings = 0
        self._is_answered = False
        super().set_response_params(**options)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """One message, of which the headers have come."""
        if self._exception is not None:
            return
        code = data[0].code
        announces = code < 200 and code != _SWITCHING
        self._beginnings += announces
        if self._is_answered or self._beginnings > _MOST_BEGINNINGS:
            self.set_exception(BadHttpMessage("more answers than requests"))
            if self.transport is not None:
                self.transport.abort()
            return
        self._is_answered = not announces
        super().feed_data(data, size)
