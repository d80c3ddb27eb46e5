"""Servers in containers, where a Docker engine answers. Vendor imports are lazy: they are slow."""

import socket
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

NATS_IMAGE = "nats:2.14-alpine"
POSTGRES_IMAGE = "postgres:18-alpine"
SECONDS_TO_ANSWER = 1
SECONDS_TO_IMPORT = 3
ASK = f"""
from testcontainers.core.docker_client import DockerClient
DockerClient(timeout={SECONDS_TO_ANSWER}).client.ping()
"""


@cache
def docker_answers() -> bool:
    """Ask the engine itself: that a client is installed says nothing.

    In a process of its own, since the client library leaks its sockets when no engine answers.
    """
    try:
        asked = subprocess.run(
            [sys.executable, "-c", ASK],
            check=False,
            timeout=SECONDS_TO_ANSWER + SECONDS_TO_IMPORT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


class ContainerServer:
    """One container with a fixed port on this machine, so that clients find it again.

    testcontainers' own reaper removes it when the test run is killed.
    """

    port: int
    ready: str

    def __init__(self, container: "DockerContainer", *, first_ready: int = 1) -> None:
        self._host_port = free_port()
        self._container = container.with_bind_ports(self.port, self._host_port)
        self._ready_count = first_ready
        self._running = True
        self._container.start()
        self._wait()

    def start(self) -> None:
        """Return when it serves. Twice: harmless."""
        if not self._running:
            self._container.get_wrapped_container().start()
            self._running = True
            self._ready_count += 1
            self._wait()

    def stop(self) -> None:
        """End it in order."""
        if self._running:
            self._container.get_wrapped_container().stop()
            self._running = False

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self._running:
            self._container.get_wrapped_container().kill()
            self._running = False

    def restart(self) -> None:
        """Stop, then start."""
        self.stop()
        self.start()

    def dispose(self) -> None:
        """End it and remove its data."""
        self._container.stop()

    def _host(self) -> str:
        return str(self._container.get_container_host_ip())

    def _wait(self) -> None:
        """Until the log, which spans all runs, has said `ready` once more."""
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        LogMessageWaitStrategy(self.ready, times=self._ready_count).wait_until_ready(
            self._container
        )


class ContainerNats(ContainerServer):
    """nats-server with JetStream."""

    port = 4222
    ready = "Server is ready"

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        super().__init__(DockerContainer(NATS_IMAGE).with_command("-js -sd /data"))

    @property
    def url(self) -> str:
        """nats://host:port"""
        return f"nats://{self._host()}:{self._host_port}"


class ContainerPostgres(ContainerServer):
    """PostgreSQL."""

    port = 5432
    ready = "database system is ready to accept connections"

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        container = DockerContainer(POSTGRES_IMAGE).with_env("POSTGRES_PASSWORD", "test")
        # The image starts the server twice: to set it up, then to serve.
        super().__init__(container.with_command("-c max_connections=300"), first_ready=2)

    @property
    def url(self) -> str:
        """An SQLAlchemy URL for asyncpg."""
        where = f"{quote(self._host())}:{self._host_port}"
        return f"postgresql+asyncpg://postgres:test@{where}/postgres"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
