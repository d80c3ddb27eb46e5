"""m job:status --follow: what it prints where there is no terminal, and what it outlasts."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from framework_m import JobStatus
from framework_m.cli.console import CommandFailedError
from framework_m.cli.job_status import follow_job
from framework_m.core.ids import uuid7
from tests.support import jobs
from tests.support.harness import Harness, until
from tests.support.servers import PostgresServerFactory

Captured = pytest.CaptureFixture[str]


class Follower:
    """`follow_job` at work, and what it has printed so far."""

    def __init__(self, harness: Harness, captured: Captured, job_id: str, *, as_json: bool) -> None:
        self._captured = captured
        self._out = self._err = ""
        self._following = asyncio.create_task(follow_job(harness.app, job_id, as_json=as_json))

    async def ends(self) -> int:
        async with asyncio.timeout(20):
            return await self._following

    async def says(self, pattern: str) -> None:
        """Wait until it is there, on stdout or stderr."""

        async def look() -> bool:
            return bool(re.search(pattern, self.out + self.err))

        await until(look)

    async def is_interrupted(self) -> None:
        """What Ctrl-C does to what runs in a loop."""
        self._following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._following

    @property
    def out(self) -> str:
        self._read()
        return self._out

    @property
    def err(self) -> str:
        self._read()
        return self._err

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def _read(self) -> None:
        out, err = self._captured.readouterr()
        self._out += out
        self._err += err


@pytest.fixture
async def working(sqlite: Harness) -> AsyncIterator[Harness]:
    """With a worker in this process."""
    async with sqlite.app.worker():
        yield sqlite


async def test_each_change_is_a_line_of_plain_text(working: Harness, capsys: Captured) -> None:
    handle = await jobs.says.enqueue(40, "half\x1b[31m\nway [bold]")
    await handle.result(timeout=20)
    follower = Follower(working, capsys, handle, as_json=False)
    assert await follower.ends() == 0
    [line] = follower.out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d Success  40 %  half\\x1b\[31m way \[bold\]  0 s", line)
    assert follower.err == ""


async def test_changes_are_told_as_they_come(
    working: Harness, tmp_path: Path, capsys: Captured
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    handle = await jobs.wait_for.enqueue(gate, log)
    follower = Follower(working, capsys, handle, as_json=False)
    await follower.says(" Running ")
    gate.touch()
    assert await follower.ends() == 0
    assert [line.split()[1] for line in follower.out.splitlines()][-2:] == ["Running", "Success"]


async def test_as_json_each_change_is_an_object_on_a_line(
    working: Harness, tmp_path: Path, capsys: Captured
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    handle = await jobs.wait_for.enqueue(gate, log)
    follower = Follower(working, capsys, handle, as_json=True)
    await follower.says('"Running"')
    gate.touch()
    assert await follower.ends() == 0
    states = [record["status"] for record in follower.records()]
    assert states[-2:] == ["Running", "Success"]
    assert len(states) == len(set(states))
    assert {record["job_id"] for record in follower.records()} == {str(handle)}
    assert follower.records()[-1]["result"] == 1


async def test_lines_are_told_once_and_in_order(working: Harness, capsys: Captured) -> None:
    handle = await jobs.counts_aloud.enqueue(2500)
    follower = Follower(working, capsys, handle, as_json=True)
    assert await follower.ends() == 0
    told = [line["message"] for record in follower.records() for line in record["log"]]
    assert told == [str(n) for n in range(2500)]


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_failure_is_told_on_stderr(
    working: Harness, capsys: Captured, as_json: bool
) -> None:
    handle = await jobs.boom.enqueue("no luck\nat all")
    follower = Follower(working, capsys, handle, as_json=as_json)
    assert await follower.ends() == 1
    assert follower.err == (
        f"m: job {handle} ended Failed: ValueError: no luck (more: m job:status {handle} --log)\n"
    )


async def test_an_unknown_job_and_one_that_is_deleted_meanwhile(
    sqlite: Harness, capsys: Captured
) -> None:
    with pytest.raises(CommandFailedError, match="no job has the id"):
        await follow_job(sqlite.app, uuid7(), as_json=False)
    handle = await jobs.add.enqueue(1)
    follower = Follower(sqlite, capsys, handle, as_json=False)
    await follower.says("Queued")
    await sqlite.app.jobs.delete(handle)
    with pytest.raises(CommandFailedError, match=f"no job has the id {handle}, any more"):
        await follower.ends()


async def test_why_a_job_does_not_begin_is_told_once(sqlite: Harness, capsys: Captured) -> None:
    handle = await jobs.add.enqueue(1)
    follower = Follower(sqlite, capsys, handle, as_json=True)
    await follower.says("no worker listens to the queue default: start one with `m worker`")
    await sqlite.change(handle, progress_message="seen again")
    await follower.says("seen again")
    await follower.is_interrupted()
    assert follower.err.count("no worker listens") == 1
    assert f"job {handle} goes on without being watched" in follower.err
    assert (await sqlite.record(handle)).status is JobStatus.QUEUED


async def test_a_paused_queue_is_named(sqlite: Harness, capsys: Captured) -> None:
    await sqlite.app.queues.pause("other")
    follower = Follower(sqlite, capsys, await jobs.on_another_queue.enqueue(), as_json=False)
    await follower.says("the queue other is paused: open it with `m queue:resume other`")
    await follower.is_interrupted()


async def test_an_outage_of_the_database_is_told_and_outlasted(
    postgres_server_factory: PostgresServerFactory, tmp_path: Path, capsys: Captured
) -> None:
    server = postgres_server_factory()
    async with Harness.opened({"database_url": server.url}, tmp_path) as harness:
        handle = await jobs.add.enqueue(1)
        follower = Follower(harness, capsys, handle, as_json=True)
        await follower.says('"Queued"')
        server.stop()
        await follower.says("m: the database is not available: .*; the job goes on, looking again")
        server.start()
        await follower.says("m: the database is available again")
        async with harness.app.worker():
            assert await follower.ends() == 0
    assert follower.err.count("not available") == 1
    assert follower.records()[-1]["status"] == "Success"
