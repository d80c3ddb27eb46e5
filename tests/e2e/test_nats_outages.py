"""NATS restarted, emptied and absent: every job ends, no worker is restarted (invariant 6)."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.js import JetStreamContext

from framework_m import JobStatus
from framework_m.core.ids import uuid7
from tests.support import jobs
from tests.support.harness import Harness, until
from tests.support.processes import worker_process
from tests.support.servers import NatsServer, NatsServerFactory

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(nats_server_factory: NatsServerFactory) -> NatsServer:
    return nats_server_factory()


@pytest.fixture
async def harness(server: NatsServer, tmp_path: Path) -> AsyncIterator[Harness]:
    settings = {
        "database_url": f"sqlite:///{tmp_path / 'test.db'}",
        "nats_url": server.url,
        "sweep_interval": 0.2,
        "lease": 2,
    }
    async with Harness.opened(settings, tmp_path) as it:
        yield it


@pytest.fixture
async def jetstream(server: NatsServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1)
    yield client.jetstream()
    await client.close()


async def restart(server: NatsServer) -> None:
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)


async def all_succeed(harness: Harness, job_ids: list[str]) -> None:
    for job_id in job_ids:
        assert (await harness.ended(job_id)).status is JobStatus.SUCCESS


async def enqueue_notes(log: Path, count: int) -> list[str]:
    return [await jobs.note.enqueue(log, str(n)) for n in range(count)]


async def test_a_restart_under_load_loses_nothing(
    harness: Harness, server: NatsServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with worker_process(harness.environment(), tmp_path / "output") as worker:
        before = await enqueue_notes(log, 50)
        await harness.lines(log, 1)
        restarting = asyncio.create_task(restart(server))
        during = await enqueue_notes(log, 50)
        await restarting
        after = await enqueue_notes(log, 10)
        async with harness.app.serving():  # what any web process does: its relay sweeps
            await all_succeed(harness, before + during + after)
        assert worker.is_alive, worker.output()
    lines = log.read_text().split()
    assert len(lines) == 110, "each ran once"


async def test_a_deleted_consumer_is_made_again(
    harness: Harness, jetstream: JetStreamContext, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with worker_process(harness.environment(), tmp_path / "output") as worker:
        await all_succeed(harness, await enqueue_notes(log, 3))
        await jetstream.delete_consumer("framework_jobs", "default_2")
        await all_succeed(harness, await enqueue_notes(log, 20))
        assert worker.is_alive, worker.output()


async def test_a_deleted_stream_is_made_again_and_its_jobs_are_sent_anew(
    harness: Harness, jetstream: JetStreamContext, tmp_path: Path
) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    environment = {**harness.environment(), "FRAMEWORK_M_CONCURRENCY": "1"}
    with worker_process(environment, tmp_path / "output") as worker:
        running = await jobs.wait_for.enqueue(gate, log)
        await harness.lines(log, 1)
        waiting = await enqueue_notes(log, 20)
        await jetstream.delete_stream("framework_jobs")
        gate.touch()
        await all_succeed(harness, [running, *waiting])
        assert worker.is_alive, worker.output()


async def test_a_purged_stream_is_filled_again(
    harness: Harness, jetstream: JetStreamContext, tmp_path: Path
) -> None:
    waiting = await enqueue_notes(tmp_path / "log", 5)
    await harness.app.ports.relay.close()  # what was committed has been sent
    await jetstream.purge_stream("framework_jobs")
    with worker_process(harness.environment(), tmp_path / "output"):
        await all_succeed(harness, waiting)


@pytest.mark.parametrize(
    "seconds", [3, pytest.param(30, marks=pytest.mark.chaos)], ids=["short", "long"]
)
async def test_an_outage_delays_jobs_and_the_truth_is_told_meanwhile(
    harness: Harness, server: NatsServer, tmp_path: Path, seconds: float
) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    with worker_process(harness.environment(), tmp_path / "output") as worker:
        running = await jobs.wait_for.enqueue(gate, log)
        await harness.lines(log, 1)
        assert all(check.ok for check in await harness.app.readiness())
        await asyncio.to_thread(server.stop)
        [nats_check] = [c for c in await harness.app.readiness() if c.name == "nats"]
        assert not nats_check.ok
        meanwhile = await enqueue_notes(log, 5)
        gate.touch()  # it ends while its message cannot be acknowledged
        await all_succeed(harness, [running])
        await asyncio.sleep(seconds)  # the length of the outage is what is tested
        await asyncio.to_thread(server.start)
        await all_succeed(harness, meanwhile)

        async def ready() -> bool:
            return all(check.ok for check in await harness.app.readiness())

        await until(ready)
        assert worker.is_alive, worker.output()
    assert log.read_text().split().count(running) == 1, "it was not run again"


@pytest.mark.parametrize(
    ("seconds", "lease"),
    [(5, 1), pytest.param(45, 5, marks=pytest.mark.chaos)],
    ids=["short", "long"],
)
async def test_jobs_of_many_leases_run_once(
    harness: Harness, tmp_path: Path, seconds: float, lease: float
) -> None:
    """One that waits, and one that keeps its worker's loop to itself."""
    log = tmp_path / "log"
    environment = {**harness.environment(), "FRAMEWORK_M_LEASE": str(lease)}
    with (
        worker_process(environment, tmp_path / "a"),
        worker_process(environment, tmp_path / "b"),
    ):
        waiting = await jobs.wait_long.enqueue(seconds, log)
        await harness.reached(waiting, JobStatus.RUNNING)
        blocking = await jobs.block_for.enqueue(seconds, log)
        for handle in (waiting, blocking):
            async with asyncio.timeout(2 * seconds + 30):
                await handle.result()
            job = await harness.record(handle)
            assert (job.status, job.attempt, job.claim_no) == (JobStatus.SUCCESS, 1, 1)
    assert sorted(log.read_text().split()) == sorted([waiting, blocking])


async def test_a_live_jobs_message_that_comes_again_is_neither_run_nor_lost(
    harness: Harness, server: NatsServer, jetstream: JetStreamContext, tmp_path: Path
) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    with worker_process(harness.environment(), tmp_path / "output"):
        handle = await jobs.wait_for.enqueue(gate, log)
        await harness.lines(log, 1)
        # A second copy, as a server that came back delivers it.
        copy = json.dumps({"job_id": handle, "job_name": "wait_for"}).encode()
        await jetstream.publish("framework.jobs.default.2", copy)

        async def delivered() -> bool:
            info = await jetstream.consumer_info("framework_jobs", "default_2")
            return bool(info.delivered and (info.delivered.stream_seq or 0) >= 2)

        await until(delivered)
        messages = (await jetstream.stream_info("framework_jobs")).state.messages
        assert messages == 2, "neither is acknowledged while the job runs"
        gate.touch()
        assert (await harness.ended(handle)).status is JobStatus.SUCCESS

        async def settled() -> bool:
            return (await jetstream.stream_info("framework_jobs")).state.messages == 0

        await until(settled)
    assert log.read_text().split() == [handle]


FOREIGN = {
    "empty": b"",
    "text": b"not json",
    "list": b"[]",
    "number": b'{"job_id": 7}',
    "no id": b'{"job_id": "nonsense"}',
    "bytes": b"\xff" * 1000,
    "unknown": json.dumps({"job_id": uuid7()}).encode(),
}


async def test_foreign_messages_are_parked_with_their_bytes_and_the_reason(
    harness: Harness, jetstream: JetStreamContext, tmp_path: Path
) -> None:
    with worker_process(harness.environment(), tmp_path / "output") as worker:
        await all_succeed(harness, await enqueue_notes(tmp_path / "log", 1))
        for number, (what, foreign) in enumerate(FOREIGN.items(), start=1):
            await jetstream.publish("framework.jobs.default.2", foreign)

            async def parked(count: int = number) -> bool:
                return (await jetstream.stream_info("framework_parked")).state.messages == count

            await until(parked)
            kept = await jetstream.get_msg("framework_parked", seq=number)
            assert (kept.data or b"") == foreign, what
            assert (kept.headers or {})["Framework-M-Reason"], what
            await all_succeed(harness, await enqueue_notes(tmp_path / "log", 1))
        assert worker.is_alive


DIES = """
import asyncio, os, sys
from framework_m.core.outbox.relay import Relay
from tests.support.application import app
from tests.support import jobs

async def main():
    async def die(self, dispatches):
        os._exit(9)
    Relay.publish = die  # the moment between commit and publish
    async with app:
        async with app.transaction():
            handle = await jobs.note.enqueue(sys.argv[1], "ran")
            print(handle, flush=True)

asyncio.run(main())
"""


async def test_what_a_process_committed_before_it_died_is_delivered_by_another(
    harness: Harness, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DIES, str(log)],
        cwd=ROOT,
        env={**os.environ, **harness.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == 9, died.stderr
    job_id = died.stdout.strip()
    assert (await harness.record(job_id)).status is JobStatus.QUEUED
    with worker_process(harness.environment(), tmp_path / "output"):
        await all_succeed(harness, [job_id])
        more = await enqueue_notes(log, 1)
        await all_succeed(harness, more)
    assert log.read_text().split() == ["ran", "0"], "delivered exactly once"


async def test_enqueueing_goes_on_while_nats_is_away(
    harness: Harness, server: NatsServer, tmp_path: Path
) -> None:
    await asyncio.to_thread(server.stop)
    waiting = await enqueue_notes(tmp_path / "log", 3)
    for job_id in waiting:
        assert (await harness.record(job_id)).status is JobStatus.QUEUED
    await asyncio.to_thread(server.start)
    async with harness.app.worker():
        await all_succeed(harness, waiting)
