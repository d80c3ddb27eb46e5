"""What every backend that several processes share promises when a worker is killed."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from framework_m import JobStatus
from tests.support import jobs
from tests.support.harness import Harness
from tests.support.processes import WorkerProcess, worker_process


class WorkerDeathContract:
    """Subclass it with a `harness` fixture."""

    changed: Mapping[str, str] = {}
    """Other settings of its workers."""
    supervised = ("--processes", "2")
    """What makes `m worker` replace a process that died."""

    @pytest.fixture
    def environment(self, harness: Harness) -> dict[str, str]:
        """A short lease, so that death is noticed soon."""
        return {
            **harness.environment(),
            "FRAMEWORK_M_LEASE": "1",
            "FRAMEWORK_M_SWEEP_INTERVAL": "0.2",
            **self.changed,
        }

    async def test_a_job_whose_worker_is_killed_runs_again_elsewhere(
        self, harness: Harness, environment: dict[str, str], tmp_path: Path
    ) -> None:
        gate, log, output = tmp_path / "gate", tmp_path / "log", tmp_path / "output"
        handle = await jobs.wait_for.enqueue(gate, log)
        with worker_process(environment, output) as first:
            await harness.lines(log, 1)
            first.kill()
        assert (await harness.record(handle)).status is JobStatus.RUNNING
        gate.touch()
        with worker_process(environment, output):
            job = await harness.ended(handle)
        assert job.status is JobStatus.SUCCESS
        assert job.attempt == 1, "a crash of the worker spends no attempt of the job"
        assert log.read_text().split() == [handle, handle]

    async def test_a_worker_killed_among_many_jobs_loses_none(
        self, harness: Harness, environment: dict[str, str], tmp_path: Path
    ) -> None:
        gate, log, output = tmp_path / "gate", tmp_path / "log", tmp_path / "output"
        blocked = [await jobs.wait_for.enqueue(gate, log) for _ in range(5)]
        with worker_process(environment, output) as first:
            await harness.lines(log, 5)
            more = [await jobs.note.enqueue(log, "note") for _ in range(50)]
            first.kill()
        gate.touch()
        with worker_process(environment, output):
            everything: list[str] = [*blocked, *more]
            ended = [await harness.ended(job_id) for job_id in everything]
        assert {job.status for job in ended} == {JobStatus.SUCCESS}

    async def test_a_job_that_kills_every_worker_is_poison_and_harms_no_other(
        self, harness: Harness, environment: dict[str, str], tmp_path: Path
    ) -> None:
        log, deaths, output = tmp_path / "log", tmp_path / "deaths", tmp_path / "output"
        one = {**environment, "FRAMEWORK_M_MAX_RESCUES": "1"}
        poison = await jobs.kills_its_worker.enqueue(deaths)
        others = [await jobs.short_nap.enqueue(log) for _ in range(20)]
        with worker_process(one, output, *self.supervised):
            job = await harness.ended(poison)
            for other in others:
                ended = await harness.ended(other)
                assert (ended.status, ended.attempt) == (JobStatus.SUCCESS, 1)
        assert job.status is JobStatus.FAILED
        assert job.error == "PoisonJobError: it ran alone, and its worker died, 1 times"
        assert deaths.read_text().split() == [poison] * 3, "twice in company, then once alone"
        assert [it.error.partition(":")[0] for it in job.attempts] == ["WorkerDiedError"] * 3

    async def test_a_worker_told_to_stop_lets_its_job_end(
        self, harness: Harness, environment: dict[str, str], tmp_path: Path
    ) -> None:
        gate, log = tmp_path / "gate", tmp_path / "log"
        handle = await jobs.wait_for.enqueue(gate, log)
        with worker_process(environment, tmp_path / "output") as worker:
            await harness.lines(log, 1)
            await _stop_while(worker, gate)
        assert (await harness.record(handle)).status is JobStatus.SUCCESS


async def _stop_while(worker: WorkerProcess, gate: Path) -> None:
    stopping = asyncio.create_task(asyncio.to_thread(worker.stop))
    await asyncio.sleep(0)
    gate.touch()
    assert await stopping == 0, worker.output()
