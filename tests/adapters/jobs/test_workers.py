"""Who works: seen, drained, lost."""

import asyncio
from datetime import timedelta

import pytest

from framework_m import JobStatus
from framework_m.cli.hints import hint
from framework_m.core.doctypes.worker import WorkerInfo, WorkerStatus
from framework_m.core.errors import DatabaseUnavailableError
from framework_m.core.interfaces.worker_store import WorkerFacts
from framework_m.core.jobs.heartbeat import Heartbeat
from tests.support import jobs
from tests.support.callers import calling
from tests.support.harness import JOBS, Harness, until


@pytest.fixture(params=["sqlite", "nats_postgresql"])
def harness(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


async def the_worker(harness: Harness) -> WorkerInfo:
    async def look() -> WorkerInfo | None:
        found = await harness.app.workers.list()
        return found[0] if found else None

    return await until(look)


async def test_a_worker_is_listed_while_it_works(harness: Harness) -> None:
    gate = harness.folder / "gate"
    async with harness.app.worker(["other", "default:2"]), calling(harness.app) as client:
        handle = await jobs.wait_for.enqueue(gate, harness.folder / "log")
        await harness.reached(handle, JobStatus.RUNNING)
        worker = await the_worker(harness)
        assert (worker.queues, worker.status) == (("other", "default"), WorkerStatus.RUNNING)
        assert worker.name == (await harness.record(handle)).worker
        assert worker.memory_bytes is None or worker.memory_bytes > 1_000_000
        [listed] = (await client.get("/api/v1/workers")).json()["items"]
        assert (listed["running"], listed["concurrency"], listed["jobs"]) == (1, 50, [])
        one = (await client.get(f"/api/v1/workers/{worker.name}")).json()
        assert [job["job_id"] for job in one["jobs"]] == [handle]
        gate.touch()
        await harness.ended(handle)
    assert await harness.app.workers.list() == []


async def test_a_drained_worker_ends_after_what_it_runs(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    gate, stop = harness.folder / "gate", asyncio.Event()
    working = asyncio.create_task(harness.app.run_worker(stop))
    async with calling(harness.app) as client:
        handle = await jobs.wait_for.enqueue(gate, harness.folder / "log")
        await harness.reached(handle, JobStatus.RUNNING)
        name = (await the_worker(harness)).name
        answer = await client.post(f"/api/v1/workers/{name}/drain")
    assert (answer.status_code, answer.json()["status"]) == (202, "draining")
    await until(lambda: said(caplog, "draining: 1 jobs"))
    async with harness.app.worker():
        late = await jobs.add.enqueue(1)
        assert (await harness.ended(late)).worker != name
    assert (await harness.record(handle)).status is JobStatus.RUNNING
    assert not working.done()
    gate.touch()
    await working
    assert (await harness.record(handle)).status is JobStatus.SUCCESS
    assert await harness.app.workers.list() == []
    assert not stop.is_set()


async def test_a_drained_worker_gives_back_what_was_to_run_alone(harness: Harness) -> None:
    gate, stop = harness.folder / "gate", asyncio.Event()
    working = asyncio.create_task(harness.app.run_worker(stop))
    handle = await jobs.wait_for.enqueue(gate, harness.folder / "log")
    name = (await harness.reached(handle, JobStatus.RUNNING)).worker
    async with harness.app.transaction():
        suspect = await jobs.add.enqueue(1)
        await harness.change(suspect, rescues=2)
    await harness.reached(suspect, JobStatus.RUNNING)  # held until the other has ended
    assert name is not None
    await harness.app.workers.drain(name)
    await harness.reached(suspect, JobStatus.QUEUED)
    async with harness.app.worker():
        assert (await harness.ended(suspect)).worker != name
    assert (await harness.record(handle)).status is JobStatus.RUNNING
    gate.touch()
    await working
    assert (await harness.record(handle)).status is JobStatus.SUCCESS


async def said(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return text in caplog.text


async def test_a_drained_worker_handles_no_more_events(sqlite: Harness) -> None:
    gate = sqlite.folder / "gate"
    async with sqlite.application((*JOBS, "tests.support.events")) as app:

        async def has_groups(wanted: bool) -> bool:
            return app.events.bus.has_groups is wanted

        # Either of them may be the one that runs it, so both know it.
        handle = await app.enqueue("wait_for", gate=gate, log=sqlite.folder / "log")
        async with app.worker(), sqlite.app.worker():
            await sqlite.reached(handle, JobStatus.RUNNING)
            await until(lambda: has_groups(True))
            assert await app.workers.drain_all()
            await until(lambda: has_groups(False))
            gate.touch()
            await sqlite.ended(handle)


async def test_sigterm_ends_a_drained_worker_within_the_grace(sqlite: Harness) -> None:
    stop = asyncio.Event()
    async with sqlite.application(JOBS, stop_grace=0) as app:
        working = asyncio.create_task(app.run_worker(stop))
        handle = await app.enqueue("wait_for", gate=sqlite.folder / "no", log=sqlite.folder / "log")
        await sqlite.reached(handle, JobStatus.RUNNING)
        worker = await the_worker(sqlite)
        assert await app.workers.drain(worker.name)
        stop.set()
        await working
        assert (await sqlite.record(handle)).status is JobStatus.QUEUED


class Deaf:
    """A store that is away at first, and then hears."""

    def __init__(self) -> None:
        self.beats = 0
        self.left = False

    async def beat(self, worker: WorkerFacts, **_: object) -> bool:
        self.beats += 1
        if self.beats < 3:
            raise DatabaseUnavailableError("it is away")
        return True

    async def drain(self, names: object) -> frozenset[str]:
        raise DatabaseUnavailableError("it is away again")

    async def leave(self, name: str) -> None:
        self.left = True

    async def forget(self, older_than: object) -> int:
        return 0


async def test_a_heartbeat_survives_that_nobody_hears_it() -> None:
    store, drained, stop, gone = Deaf(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    facts = WorkerFacts("one", "one", 1, "1", ("default",), 1)
    heartbeat = Heartbeat(store, facts, timedelta(seconds=60), drained.set)  # type: ignore[arg-type]
    beating = asyncio.create_task(heartbeat.run(stop, gone))
    async with asyncio.timeout(20):
        await drained.wait()
        stop.set()
        gone.set()
        await beating
    assert (store.beats, store.left) == (3, True)


async def test_nobody_is_drained_who_is_not_there(sqlite: Harness) -> None:
    async with calling(sqlite.app) as client:
        for answer in (
            await client.get("/api/v1/workers/nobody"),
            await client.post("/api/v1/workers/nobody/drain"),
        ):
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"


async def test_why_a_job_does_not_begin_is_told(sqlite: Harness) -> None:
    app = sqlite.app
    told = await hint(app, "other")
    assert told == "no worker listens to the queue other: start one with `m worker`"
    async with app.worker(["default"]):
        await the_worker(sqlite)
        assert await hint(app, "default") is None
        assert "no worker listens to the queue other" in (await hint(app, "other") or "")
        await app.queues.pause("default")
        assert "m queue:resume default" in (await hint(app, "default") or "")
