"""Queues of whole processes: paused and resumed from another one; options of a worker."""

import asyncio
import json
from pathlib import Path

import pytest

from framework_m import JobStatus
from tests.support import jobs
from tests.support.command import Command, application
from tests.support.harness import Harness, until
from tests.support.processes import worker_process


@pytest.fixture
def m(harness: Harness, capfd: pytest.CaptureFixture[str]) -> Command:
    return application(capfd, harness.environment())


@pytest.mark.parametrize("backend", ["sqlite", "postgresql", "nats_sqlite"])
async def test_a_queue_is_paused_and_resumed_from_another_process(
    harness: Harness, m: Command, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    environment = harness.environment()
    with (
        worker_process(environment, tmp_path / "one"),
        worker_process(environment, tmp_path / "two"),
    ):
        first = await jobs.on_another_queue.enqueue()
        assert (await harness.ended(first)).status is JobStatus.SUCCESS
        paused = await m.aside("queue:pause", "other")
        assert (paused.returncode, paused.stdout) == (0, "other is paused\n"), paused.stderr
        held = [await jobs.on_another_queue.enqueue() for _ in range(20)]
        for _ in range(20):
            await harness.ended(await jobs.note.enqueue(log, "ran"))
        listed = json.loads((await m.aside("queue:list", "--json")).stdout)
        other = next(queue for queue in listed if queue["name"] == "other")
        assert (other["paused"], other["waiting"], other["running"]) == (True, 20, 0)
        resumed = await m.aside("queue:resume", "other", "--json")
        assert resumed.returncode == 0, resumed.stderr
        assert json.loads(resumed.stdout) == {"name": "other", "paused": False}
        for handle in held:
            assert (await harness.ended(handle)).claim_no == 1


@pytest.fixture
def harness(backend: str, request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(backend)
    return found


@pytest.fixture
def backend() -> str:
    return "sqlite"


async def test_the_commands_tell_what_is_wrong(m: Command) -> None:
    misspelt = await m.aside("queue:pause", "othre")
    assert misspelt.returncode == 0
    assert "no job function names the queue othre" in misspelt.stderr
    assert "othre" in (await m.aside("queue:list")).stdout
    for arguments, problem in (
        (("queue:pause", "a b"), "must be 1 to 64 letters"),
        (("worker", "--queues", "a:x"), "'a:x': its weight must be a whole number"),
        (("worker", "--queues", ","), "there is none"),
        (("worker", "--queues", "a:2,b", "--strict"), "a weight means nothing"),
        (("worker", "--strict"), "--strict needs --queues"),
    ):
        refused = await m.aside(*arguments)
        assert (refused.returncode, problem in refused.stderr) == (2, True), refused.stderr


async def test_several_worker_processes_have_the_same_order(
    harness: Harness, tmp_path: Path
) -> None:
    options = ("--processes", "2", "--queues", "other,default", "--strict")
    output = tmp_path / "output"
    with worker_process(harness.environment(), output, *options) as parent:

        async def both_started() -> bool:
            return output.read_text().count("other > default") == 3  # and the banner

        await until(both_started)
        assert (await harness.ended(await jobs.on_another_queue.enqueue())).result == "done"
        assert await asyncio.to_thread(parent.stop) == 0
