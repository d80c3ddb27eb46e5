"""Many processes ask for the same unique job at the same moment: there is one."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.harness import Harness, until

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def harness(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("processes", [6, pytest.param(50, marks=pytest.mark.chaos)])
async def test_one_job_for_all_who_ask_for_it_at_once(
    harness: Harness, tmp_path: Path, processes: int
) -> None:
    gate, ready = tmp_path / "gate", tmp_path / "ready"
    ready.mkdir()
    asking = [_started(harness, ready / str(number), gate) for number in range(processes)]
    try:

        async def all_ready() -> bool:
            return len(list(ready.iterdir())) == processes

        await until(all_ready, deadline=120)
        gate.touch()
        told = [await asyncio.to_thread(process.communicate) for process in asking]
    finally:
        for process in asking:
            process.kill()
    assert [process.returncode for process in asking] == [0] * processes
    [job] = await harness.app.jobs.list()
    assert {output.strip() for output, _ in told} == {job.job_id}


def _started(harness: Harness, ready: Path, gate: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.asks_once", ready, gate],
        cwd=ROOT,
        env={**os.environ, **harness.environment()},
        stdout=subprocess.PIPE,
        text=True,
    )
