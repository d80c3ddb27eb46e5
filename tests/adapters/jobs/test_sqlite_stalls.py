"""SQLite has one write lock, and a process that stands still may hold it."""

import time
from pathlib import Path

from framework_m import JobStatus
from tests.support.harness import Harness


async def test_a_stall_with_the_write_lock_held_costs_no_lease(
    sqlite: Harness, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    async with sqlite.application(lease=1, sweep_interval=0.1).worker():
        handle = await sqlite.app.enqueue("wait_for", gate=gate, log=log)
        await sqlite.lines(log, 1)
        async with sqlite.app.transaction():
            # Nobody can renew a lease now, and nobody in this process can do anything.
            time.sleep(2.5)  # noqa: ASYNC251 - the point of it
        for n in range(5):  # the sweeps that could mistake it for dead
            await (await sqlite.app.enqueue("add", a=n)).result(timeout=20)
        gate.touch()
        assert (await sqlite.ended(handle)).status is JobStatus.SUCCESS
    assert log.read_text().split() == [handle], "it was not taken for dead and run again"
