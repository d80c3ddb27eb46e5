"""Real PostgreSQL and NATS for tests: which server, from where. tests/conftest.py has the fixtures.

In this order: the one that TEST_DATABASE_URL or TEST_NATS_URL names; a container, where a Docker
engine answers; the one that pip installs.
"""

import os
from collections.abc import Callable
from typing import NoReturn, Protocol

import pytest
from sqlalchemy.engine import make_url

from tests.support.containers import ContainerNats, ContainerPostgres, docker_answers
from tests.support.local import LocalNats, LocalPostgres, ServerMissing

__all__ = [
    "ExternalServer",
    "NatsServer",
    "NatsServerFactory",
    "PostgresServer",
    "PostgresServerFactory",
    "Server",
    "ServerMissing",
    "nats_for_the_session",
    "own_nats",
    "own_postgres",
    "plain_dsn",
    "postgres_for_the_session",
    "refuse",
]


class Server(Protocol):
    """A running server. Every call blocks until it is done, from any thread.

    `stop`, `kill` and `restart` keep the data and the url. On a server that TEST_*_URL names they
    skip the test: it is not ours to stop.
    """

    @property
    def url(self) -> str:
        """Where it serves; the same for its whole life."""

    def start(self) -> None:
        """Return when it serves. Twice: harmless."""

    def stop(self) -> None:
        """End it in order. Twice: harmless."""

    def kill(self) -> None:
        """End it by SIGKILL. Twice: harmless."""

    def restart(self) -> None:
        """Stop, then start."""

    def dispose(self) -> None:
        """End it and remove its data."""


class PostgresServer(Server, Protocol):
    """`url` is an SQLAlchemy URL with asyncpg as its driver."""


class NatsServer(Server, Protocol):
    """`url` is what nats-py's connect takes; JetStream is on."""


PostgresServerFactory = Callable[[], PostgresServer]
NatsServerFactory = Callable[[], NatsServer]


class ExternalServer:
    """A server that somebody else runs."""

    def __init__(self, url: str, variable: str) -> None:
        self.url = url
        self._variable = variable

    def start(self) -> None:
        """It runs already."""

    def stop(self) -> None:
        """Skip the test."""
        pytest.skip(f"the server that {self._variable} names is not ours to stop")

    kill = stop
    restart = stop

    def dispose(self) -> None:
        """Leave it running."""


def postgres_for_the_session() -> PostgresServer:
    """Raises ServerMissing."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url:
        asyncpg_url = make_url(url).set(drivername="postgresql+asyncpg")
        return ExternalServer(
            asyncpg_url.render_as_string(hide_password=False), "TEST_DATABASE_URL"
        )
    return own_postgres()


def nats_for_the_session() -> NatsServer:
    """Raises ServerMissing."""
    url = os.environ.get("TEST_NATS_URL")
    return ExternalServer(url, "TEST_NATS_URL") if url else own_nats()


def own_postgres() -> PostgresServer:
    """Start one that a test may stop and kill. Raises ServerMissing."""
    return ContainerPostgres() if docker_answers() else LocalPostgres()


def own_nats() -> NatsServer:
    """Start one that a test may stop and kill. Raises ServerMissing."""
    return ContainerNats() if docker_answers() else LocalNats()


def refuse(missing: ServerMissing) -> NoReturn:
    """Skip on a laptop; fail in CI, where a skip would pass for a test."""
    if os.environ.get("CI"):
        pytest.fail(f"CI is set, and a server is missing: {missing}", pytrace=False)
    pytest.skip(str(missing))


def plain_dsn(url: str) -> str:
    """An SQLAlchemy URL as asyncpg itself takes it."""
    plain = make_url(url).set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)
