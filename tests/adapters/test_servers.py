"""The servers that tests get: real, restartable with their data, and gone when the test run is."""

import asyncio
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import asyncpg
import nats
import nats.errors
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support import containers, servers
from tests.support.harness import until
from tests.support.local import LocalNats, ServerMissing
from tests.support.nats_cluster import NODES, NatsCluster
from tests.support.servers import (
    NatsServer,
    NatsServerFactory,
    PostgresServer,
    PostgresServerFactory,
)

ROOT = Path(__file__).parents[2]
PATIENCE = 60


async def test_postgres_answers_sqlalchemy(postgres_server: PostgresServer) -> None:
    engine = create_async_engine(postgres_server.url)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


async def test_a_schema_is_fresh_and_ours(
    postgres_server: PostgresServer, postgres_schema: str
) -> None:
    connection = await asyncpg.connect(
        servers.plain_dsn(postgres_server.url), server_settings={"search_path": postgres_schema}
    )
    await connection.execute("CREATE TABLE thing (id int)")
    assert await connection.fetchval("SELECT 'thing'::regclass::text") == "thing"
    await connection.close()


async def test_a_database_is_fresh_and_ours(postgres_database: str) -> None:
    connection = await asyncpg.connect(servers.plain_dsn(postgres_database))
    assert await connection.fetchval("SELECT count(*) FROM pg_stat_user_tables") == 0
    await connection.close()


async def test_jetstream_keeps_a_message(nats_server: NatsServer, nats_prefix: str) -> None:
    client = await nats.connect(nats_server.url)
    jetstream = client.jetstream()
    await jetstream.add_stream(name=nats_prefix, subjects=[f"{nats_prefix}.>"])
    ack = await jetstream.publish(f"{nats_prefix}.a", b"hello")
    assert (ack.stream, ack.seq) == (nats_prefix, 1)
    await client.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_postgres_comes_back_with_its_data(
    postgres_server_factory: PostgresServerFactory, end: str
) -> None:
    server = postgres_server_factory()
    url = server.url
    connection = await asyncpg.connect(servers.plain_dsn(url))
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    getattr(server, end)()
    connection.terminate()
    with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
        await asyncpg.connect(servers.plain_dsn(url))
    server.start()

    connection = await asyncpg.connect(servers.plain_dsn(server.url))
    assert await connection.fetchval("SELECT answer FROM kept") == 42
    await connection.close()
    assert server.url == url


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_nats_comes_back_with_its_data_to_the_same_client(
    nats_server_factory: NatsServerFactory, end: str
) -> None:
    server = nats_server_factory()
    url = server.url
    client, reconnected = await patient_client(url)
    jetstream = client.jetstream()
    await jetstream.add_stream(name="kept", subjects=["kept"])
    await jetstream.publish("kept", b"42")

    getattr(server, end)()
    server.start()

    await asyncio.wait_for(reconnected.wait(), PATIENCE)
    message = await jetstream.get_last_msg("kept", "kept")
    assert message.data == b"42"
    assert server.url == url
    await client.close()


async def test_a_cluster_goes_on_without_one_node_which_then_catches_up(
    nats_cluster: NatsCluster,
) -> None:
    url = nats_cluster.url
    client, _ = await patient_client(url)
    jetstream = client.jetstream()
    await jetstream.add_stream(name="kept", subjects=["kept"], num_replicas=NODES)
    await jetstream.publish("kept", b"before")

    # Not the leader: to choose another takes the servers up to nine seconds.
    follower = (await nats_cluster.leader_of("kept") + 1) % NODES
    nats_cluster.kill(follower)
    await until(lambda: published(jetstream, "kept"))
    nats_cluster.start(follower)
    await nats_cluster.current("kept")

    assert (await jetstream.stream_info("kept")).state.messages == 2
    assert nats_cluster.url == url
    await client.close()


async def published(jetstream: JetStreamContext, subject: str) -> bool:
    """Whether it is stored; not if its node died before it could say so. Twice: once."""
    with contextlib.suppress(nats.errors.Error):
        await jetstream.publish(subject, b"", timeout=1, headers={"Nats-Msg-Id": "once"})
        return True
    return False


def test_a_restart_of_a_stopped_server_starts_it(nats_server_factory: NatsServerFactory) -> None:
    server = nats_server_factory()
    server.stop()
    server.stop()
    server.restart()
    server.start()


async def patient_client(url: str) -> tuple[Client, asyncio.Event]:
    reconnected = asyncio.Event()

    async def on_reconnect() -> None:
        reconnected.set()

    async def ignore_the_cut(error: Exception) -> None:
        assert isinstance(error, (OSError, nats.errors.Error))

    client = await nats.connect(
        url.split(","),
        reconnected_cb=on_reconnect,
        error_cb=ignore_the_cut,
        reconnect_time_wait=0.01,
        max_reconnect_attempts=-1,
    )
    return client, reconnected


INTERRUPTED = """
import os, signal
from tests.support.local import LocalNats, LocalPostgres

def test_interrupted(nats_server_factory, postgres_server_factory):
    servers = LocalNats(), LocalPostgres()
    print("\\nSERVERS", *(f"{s.pid}:{s.directory}" for s in servers), flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_test_run_leaves_no_server(tmp_path: Path, how: signal.Signals) -> None:
    test = tmp_path / "test_interrupted.py"
    test.write_text(INTERRUPTED)
    options = ["-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", "-p", "no:cacheprovider"]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", *options, str(test)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as run:
        assert run.stdout is not None
        line = next(line for line in run.stdout if line.startswith("SERVERS"))
        run.send_signal(how)
        # The guards hold their test run's standard error: it ends when the last of them has.
        run.communicate(timeout=PATIENCE)
    for server in line.split()[1:]:
        pid, _, directory = server.partition(":")
        assert not Path(directory).exists()
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs PR_SET_PDEATHSIG")
def test_a_killed_guard_takes_its_server_along() -> None:
    server = LocalNats()
    handle = os.pidfd_open(server.pid)
    os.kill(server.guard_pid, signal.SIGKILL)
    ended, _, _ = select.select([handle], [], [], PATIENCE)
    os.close(handle)
    server.dispose()
    assert ended


def test_a_missing_server_skips_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no engine"):
        servers.refuse(ServerMissing("no engine"))


def test_a_missing_server_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no engine"):
        servers.refuse(ServerMissing("no engine"))


def test_the_environment_names_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_NATS_URL", "nats://example:4222")
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://me:secret@example/db")
    assert servers.nats_for_the_session().url == "nats://example:4222"
    expected = "postgresql+asyncpg://me:secret@example/db"
    assert servers.postgres_for_the_session().url == expected


def test_a_server_of_somebody_else_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_NATS_URL", "nats://example:4222")
    server = servers.nats_for_the_session()
    with pytest.raises(pytest.skip.Exception, match="not ours to stop"):
        server.restart()


class FakeEngine(BaseHTTPRequestHandler):
    """As much of a Docker engine as a ping needs."""

    def do_GET(self) -> None:
        body = b'{"ApiVersion": "1.44"}' if self.path == "/version" else b"OK"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_docker_engine_that_answers_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeEngine) as engine:
        Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01}).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{engine.server_port}")
        try:
            assert containers.docker_answers.__wrapped__()
        finally:
            engine.shutdown()


def test_a_docker_client_without_an_engine_is_no_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    assert not containers.docker_answers.__wrapped__()


def test_a_docker_engine_that_does_not_answer_is_no_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        assert not containers.docker_answers.__wrapped__()
