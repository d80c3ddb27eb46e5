"""Cancelling in one process what another runs."""

from pathlib import Path

import pytest

from framework_m import JobStatus
from tests.support import jobs
from tests.support.harness import Harness
from tests.support.processes import worker_process


@pytest.mark.parametrize("dies", [False, True], ids=["stops-it", "is-killed"])
async def test_a_worker_process_hears_of_it_or_its_rescue_does(
    sqlite: Harness, tmp_path: Path, dies: bool
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    environment = {**sqlite.environment(), "FRAMEWORK_M_LEASE": "1"}
    with worker_process(environment, tmp_path / "output") as worker:
        handle = await jobs.wait_for.enqueue(gate, log)
        await sqlite.lines(log, 1)
        await handle.cancel()
        if dies:
            worker.kill()
        else:
            await sqlite.ended(handle)
    with worker_process(environment, tmp_path / "output"):
        assert (await sqlite.ended(handle)).status is JobStatus.CANCELLED
        # Nothing of it comes again.
        assert await (await jobs.add.enqueue(1)).result(timeout=20) == 2
    job = await sqlite.record(handle)
    assert (job.claim_no, len(log.read_text().splitlines())) == (1, 1)
