"""NatsConnection: connects when first needed, reconnects for ever, says so once."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.errors import Error as NatsError

from framework_m.core.errors import NatsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nats.js import JetStreamContext

logger = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 5.0
_ANSWER_TIMEOUT = 2.0
"""What is asked while a cluster elects a leader is never answered: better to ask again soon."""
_DRAIN_TIMEOUT = 5.0
_RECONNECT_WAIT = 0.25
_OPTIONS: dict[str, Any] = {
    "name": "framework_m",
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": _RECONNECT_WAIT,
    "connect_timeout": 2,
    # A dead peer is noticed after two unanswered pings.
    "ping_interval": 10,
    "max_outstanding_pings": 2,
}


@dataclass(frozen=True, slots=True)
class NatsOptions:
    """Where the servers are, and what to show them."""

    servers: tuple[str, ...]
    user: str | None = None
    password: str | None = None
    token: str | None = None
    nkey_seed_file: Path | None = None
    credentials_file: Path | None = None
    tls_ca_file: Path | None = None
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None

    def for_client(self) -> dict[str, Any]:
        """As nats-py's connect takes them."""
        given = {
            "servers": list(self.servers),
            "user": self.user,
            "password": self.password,
            "token": self.token,
            "nkeys_seed": _text(self.nkey_seed_file),
            "user_credentials": _text(self.credentials_file),
            "tls": self._tls(),
        }
        return {name: value for name, value in given.items() if value is not None}

    def shown(self) -> str:
        """The servers without whatever secrets their URLs hold."""
        return ", ".join(_without_secrets(server) for server in self.servers)

    def _tls(self) -> ssl.SSLContext | None:
        wanted = any(urlsplit(server).scheme == "tls" for server in self.servers)
        if not (wanted or self.tls_ca_file or self.tls_certificate_file):
            return None
        context = ssl.create_default_context(cafile=_text(self.tls_ca_file))
        if self.tls_certificate_file is not None:
            context.load_cert_chain(self.tls_certificate_file, self.tls_key_file)
        return context


class NatsConnection:
    """One connection, shared by everything in the process that speaks to NATS."""

    def __init__(self, options: NatsOptions) -> None:
        self.options = options
        self.client = Client()
        self._jetstream: JetStreamContext | None = None
        self._opening = asyncio.Lock()
        self._is_open = False
        self._last_error: Exception | None = None
        self._reconnected: list[Callable[[], None]] = []

    @property
    def is_connected(self) -> bool:
        return self._is_open and self.client.is_connected

    @property
    def jetstream(self) -> JetStreamContext:
        """The same for the connection's whole life: each one has a subscription of its own."""
        if self._jetstream is None:
            self._jetstream = self.client.jetstream(timeout=_ANSWER_TIMEOUT)
        return self._jetstream

    def on_reconnect(self, action: Callable[[], None]) -> None:
        """Do this after every reconnect: what the server was asked before is forgotten."""
        self._reconnected.append(action)

    async def open(self) -> None:
        """Connect, if that has not been done. Raises NatsUnavailableError within seconds."""
        async with self._opening:
            if not self._is_open:
                await self._connect()
                self._is_open = True

    async def require_jetstream(self) -> None:
        """Raises NatsUnavailableError unless JetStream answers within seconds."""
        await self.open()
        if not self.client.is_connected:
            raise NatsUnavailableError(f"no connection to {self.options.shown()}")
        try:
            await self.jetstream.account_info()
        except (NatsError, OSError, TimeoutError) as error:
            raise NatsUnavailableError(_words(error)) from error

    async def close(self) -> None:
        """Send what is still unsent, then disconnect."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                if self.client.is_connected:
                    await self.client.flush()
        except (NatsError, OSError, TimeoutError) as error:
            logger.warning("closing the NATS connection: %s", _words(error))
        await self.client.close()

    async def _connect(self) -> None:
        # nats-py never gives up on the first connection either, with endless reconnects on; and
        # a client that failed once is not used again.
        self.client = Client()
        self._jetstream = None
        self._last_error = None
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await self.client.connect(
                    **self.options.for_client(),
                    **_OPTIONS,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_reconnect,
                    error_cb=self._on_error,
                )
        except (NatsError, OSError, TimeoutError, ValueError) as error:
            await self.client.close()
            # Endless tries end in our time-out; why they failed was told on the side.
            raise NatsUnavailableError(f"{self.options.shown()}: {self._told(error)}") from error

    def _told(self, error: BaseException) -> str:
        return _words(error if self._last_error is None else self._last_error)

    async def _on_disconnect(self) -> None:
        if self._is_open:
            logger.warning("NATS: disconnected; reconnecting for as long as it takes")

    async def _on_reconnect(self) -> None:
        logger.warning("NATS: connected again")
        for action in self._reconnected:
            action()

    async def _on_error(self, error: Exception) -> None:
        # One per failed attempt to reconnect: the disconnect was said, and its end will be.
        # A server that refuses us hangs up too, and what it said tells more than that.
        if not (isinstance(error, OSError) and isinstance(self._last_error, NatsError)):
            self._last_error = error
        logger.debug("NATS: %s", _words(error))


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _without_secrets(server: str) -> str:
    parts = urlsplit(server)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if parts.scheme else host
