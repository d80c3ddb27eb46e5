"""Fixtures for every test. A server starts when the first test wants it, and never otherwise."""

import gc
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest
from sqlalchemy.engine import make_url

# Before their first import: a failed assert in a shared suite then says as much as one in a test.
pytest.register_assert_rewrite("tests.contracts", "tests.support", "tests.chaos")

pytest_plugins = (
    "tests.support.fixtures",
    "tests.support.document_fixtures",
    "tests.support.paper_fixtures",
)

from framework_m.core.text import storable  # noqa: E402
from tests.support import servers  # noqa: E402
from tests.support.nats_cluster import NatsCluster  # noqa: E402
from tests.support.servers import (  # noqa: E402
    NatsServer,
    NatsServerFactory,
    PostgresServer,
    PostgresServerFactory,
    ServerMissing,
)

if TYPE_CHECKING:
    import asyncpg


# Who runs the tests in the background of a shell has them, and all they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What is there for the whole run is no garbage: else each collection looks through it."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: tests wait for servers and processes."""
    return (os.cpu_count() or 1) + 1


class Disposable(Protocol):
    """What has to be ended after the test."""

    def dispose(self) -> None: ...


ServerType = TypeVar("ServerType", bound=Disposable)


def _started(make: Callable[[], ServerType], stack: ExitStack) -> ServerType:
    try:
        server = make()
    except ServerMissing as missing:
        servers.refuse(missing)
    stack.callback(server.dispose)
    return server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL. Use a schema or a database of your own on it; don't stop it."""
    with ExitStack() as stack:
        yield _started(servers.postgres_for_the_session, stack)


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """The session's NATS, with JetStream. Put `nats_prefix` before your streams; don't stop it."""
    with ExitStack() as stack:
        yield _started(servers.nats_for_the_session, stack)


@pytest.fixture
def postgres_server_factory() -> Iterator[PostgresServerFactory]:
    """Call it for a PostgreSQL of the test's own, to stop, kill and start again."""
    with ExitStack() as stack:
        yield lambda: _started(servers.own_postgres, stack)


@pytest.fixture
def nats_server_factory() -> Iterator[NatsServerFactory]:
    """Call it for a NATS of the test's own, to stop, kill and start again."""
    with ExitStack() as stack:
        yield lambda: _started(servers.own_nats, stack)


@pytest.fixture
async def nats_cluster() -> AsyncIterator[NatsCluster]:
    """A cluster of the test's own, whose nodes it may stop, kill and start again."""
    with ExitStack() as stack:
        cluster = _started(NatsCluster, stack)
        await cluster.formed()
        yield cluster


@pytest.fixture
async def postgres_schema(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """The name of a fresh schema, dropped afterwards."""
    schema = _fresh_name()
    async with _admin(postgres_server) as connection:
        await connection.execute(f"CREATE SCHEMA {schema}")
    yield schema
    async with _admin(postgres_server) as connection:
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
async def postgres_database(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """The SQLAlchemy URL of a fresh database, dropped afterwards with whoever is still connected.

    For whole processes (DATABASE_URL), and for LISTEN/NOTIFY, whose channels schemas do not divide.
    """
    database = _fresh_name()
    async with _admin(postgres_server) as connection:
        await connection.execute(f"CREATE DATABASE {database}")
    yield (
        make_url(postgres_server.url).set(database=database).render_as_string(hide_password=False)
    )
    async with _admin(postgres_server) as connection:
        await connection.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture
async def nats_prefix(nats_server: NatsServer) -> AsyncIterator[str]:
    """A fresh prefix for streams and subjects. Streams named with it are deleted afterwards."""
    import nats

    prefix = _fresh_name()
    yield prefix
    client = await nats.connect(nats_server.url)
    try:
        jetstream = client.jetstream()
        for stream in await jetstream.streams_info():
            name = stream.config.name or ""
            if prefix in name.lower():
                await jetstream.delete_stream(name)
    finally:
        await client.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logged is to be sent to another process, whatever characters it has."""
    report = yield
    report.sections = [(name, storable(text)) for name, text in report.sections]
    return report


def _fresh_name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def _admin(server: PostgresServer) -> "AsyncIterator[asyncpg.Connection]":
    import asyncpg

    connection = await asyncpg.connect(servers.plain_dsn(server.url))
    try:
        yield connection
    finally:
        await connection.close()
