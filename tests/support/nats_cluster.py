"""Three nats-servers on loopback that are one JetStream cluster, each to be stopped and started."""

import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass

import nats
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ClusterInfo, StorageType

from tests.support.harness import until
from tests.support.local import LocalNats

NODES = 3
_NAME = "framework-m-tests"
_PREFIX = "node"
_PROBE = "probe-of-the-cluster"
_PATIENCE = 60.0  # seconds; a loaded machine is slow, not broken
_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True, slots=True)
class _Ports:
    """Where one node listens, over all its runs."""

    clients: int
    routes: int


class NatsCluster:
    """Starting, stopping and killing block, from any thread; the data of a node stays with it."""

    def __init__(self) -> None:
        """Start the nodes; `formed` says when they are a cluster. Raises ServerMissing."""
        ports = _free_ports()
        self._nodes: list[LocalNats] = []
        with ExitStack() as failed:
            failed.callback(self.dispose)
            for number in range(NODES):
                self._nodes.append(_node(number, ports))
            failed.pop_all()

    @property
    def url(self) -> str:
        """All nodes, separated by commas; the same for the cluster's whole life."""
        return ",".join(node.url for node in self._nodes)

    def start(self, number: int) -> None:
        """Return when the node takes clients; `current` says when it has caught up."""
        self._nodes[number].start()

    def stop(self, number: int) -> None:
        """End a node in order: it hands over what it leads."""
        self._nodes[number].stop()

    def kill(self, number: int) -> None:
        """End a node by SIGKILL."""
        self._nodes[number].kill()

    def dispose(self) -> None:
        """End all of them and remove their data."""
        for node in self._nodes:
            node.dispose()

    async def formed(self) -> None:
        """Until there is a leader of all, and a stream can have a replica on every node."""
        async with self._asking() as jetstream:

            async def look() -> bool:
                with contextlib.suppress(NatsError):
                    await jetstream.account_info()  # only a cluster with a leader answers
                    await jetstream.add_stream(
                        name=_PROBE, num_replicas=NODES, storage=StorageType.MEMORY
                    )
                    return await jetstream.delete_stream(_PROBE)
                return False

            await until(look, deadline=_PATIENCE, pause=_BETWEEN_LOOKS)

    async def current(self, *streams: str) -> None:
        """Until every node has all that these streams and their consumers hold."""
        async with self._asking() as jetstream:

            async def look() -> bool:
                with contextlib.suppress(NatsError):
                    return all([await _is_current(jetstream, stream) for stream in streams])
                return False

            await until(look, deadline=_PATIENCE, pause=_BETWEEN_LOOKS)

    async def leader_of(self, stream: str) -> int:
        """The node that leads this stream, once there is one."""
        async with self._asking() as jetstream:

            async def look() -> str | None:
                with contextlib.suppress(NatsError):
                    cluster = (await jetstream.stream_info(stream)).cluster
                    return cluster.leader if cluster else None
                return None

            name = await until(look, deadline=_PATIENCE, pause=_BETWEEN_LOOKS)
        return int(name.removeprefix(_PREFIX))

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[JetStreamContext]:
        client = await nats.connect(
            [node.url for node in self._nodes],
            error_cb=_ignore,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_BETWEEN_LOOKS,
        )
        try:
            yield client.jetstream(timeout=1)
        finally:
            await client.close()


async def _is_current(jetstream: JetStreamContext, stream: str) -> bool:
    info = await jetstream.stream_info(stream)
    consumers = await jetstream.consumers_info(stream)
    # The list leaves out the consumers whose leader did not answer.
    return len(consumers) == info.state.consumer_count and all(
        _has_all(cluster) for cluster in (info.cluster, *(one.cluster for one in consumers))
    )


def _has_all(group: ClusterInfo | None) -> bool:
    """Whether a group has a leader, and all others are there and as far as it is."""
    if group is None or not group.leader:
        return False
    others = group.replicas or []
    return len(others) == NODES - 1 and all(one.current and not one.offline for one in others)


def _node(number: int, places: list[_Ports]) -> LocalNats:
    routes = [f"nats://127.0.0.1:{place.routes}" for place in places]
    return LocalNats(
        "-n",
        f"{_PREFIX}{number}",
        "--cluster_name",
        _NAME,
        "--cluster",
        routes[number],
        "--routes",
        ",".join(routes),
        port=places[number].clients,
    )


def _free_ports() -> list[_Ports]:
    """Ports that were free a moment ago; all are held until the last is found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(2 * NODES)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        numbers = [int(probe.getsockname()[1]) for probe in probes]
    return [_Ports(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


async def _ignore(_: Exception) -> None:
    """A node that does not answer is what these tests are about."""
