"""The nodes of a NATS cluster end one after another, and workers too: every job ends, once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.crew import LEASE, Crew, ended, judge
from tests.support import jobs
from tests.support.harness import Harness, until
from tests.support.nats_cluster import NODES, NatsCluster

pytestmark = pytest.mark.chaos

PORTION = 840
"""Jobs that are enqueued while something happens: two portions per node are 5,040."""
STREAMS = ("framework_jobs", "framework_parked")


class Work:
    """Jobs coming in one by one, and a crew that works on them."""

    def __init__(self, harness: Harness, stack: ExitStack) -> None:
        self._harness = harness
        self._log = harness.folder / "log"
        self._ids: set[str] = set()
        self._crew = Crew(harness, stack)

    async def through(self, *events: Callable[[], Awaitable[object]]) -> None:
        """One portion of jobs, to the end; the events fall evenly into it."""
        before = len(self._ids)
        async with asyncio.TaskGroup() as meanwhile:
            meanwhile.create_task(self._enqueue())
            for nth, event in enumerate(events, 1):
                await ended(self._harness, before + PORTION * nth // (len(events) + 2))
                await event()
        await ended(self._harness, before + PORTION)

    async def lose_one(self) -> None:
        """A worker dies, and another takes its place."""
        self._crew.kill_one()

    async def knows_of_an_outage(self) -> bool:
        return not all(check.ok for check in await self._harness.app.readiness())

    async def judge(self) -> None:
        await judge(self._harness, self._ids, self._log, kills=self._crew.kills)

    async def _enqueue(self) -> None:
        for _ in range(PORTION):
            self._ids.add(await jobs.traced_nap.enqueue(self._log))


@pytest.fixture
async def work(
    tmp_path: Path, postgres_database: str, nats_cluster: NatsCluster
) -> AsyncIterator[Work]:
    settings = {
        "lease": LEASE,
        "sweep_interval": 0.5,
        "database_url": postgres_database,
        "nats_url": nats_cluster.url,
        "nats_replicas": NODES,
    }
    async with Harness.opened(settings, tmp_path) as harness, harness.app.serving():
        with ExitStack() as stack:
            yield Work(harness, stack)


async def test_every_job_ends_once_whichever_node_is_away(
    work: Work, nats_cluster: NatsCluster
) -> None:
    been_away: set[int] = set()
    for end in (nats_cluster.kill, nats_cluster.stop, nats_cluster.kill):
        node = await _next_node(nats_cluster, been_away)
        await work.through(partial(asyncio.to_thread, end, node), work.lose_one)
        await work.through(partial(asyncio.to_thread, nats_cluster.start, node), work.lose_one)
        await nats_cluster.current(*STREAMS)
        been_away.add(node)
    await work.judge()


async def test_every_job_ends_once_after_most_nodes_were_away(
    work: Work, nats_cluster: NatsCluster
) -> None:
    leader = await nats_cluster.leader_of(STREAMS[0])
    most = (leader, (leader + 1) % NODES)

    async def outage() -> None:
        for node in most:
            await asyncio.to_thread(nats_cluster.kill, node)
        await work.lose_one()
        await until(work.knows_of_an_outage, deadline=60, pause=0.1)
        for node in most:
            await asyncio.to_thread(nats_cluster.start, node)

    await work.through(outage, work.lose_one)
    await work.judge()


async def _next_node(cluster: NatsCluster, been_away: set[int]) -> int:
    """The leader of the jobs, if it has not been away yet; else one that has not."""
    leader = await cluster.leader_of(STREAMS[0])
    return leader if leader not in been_away else min(set(range(NODES)) - been_away)
