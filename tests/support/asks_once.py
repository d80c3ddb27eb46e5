"""One of many processes that ask for the same unique job at once: `python -m … READY GATE`."""

import asyncio
import sys
from pathlib import Path

from framework_m import FrameworkM

MODULES = ["tests.support.unique_jobs"]


async def ask(ready: Path, gate: Path) -> None:
    async with FrameworkM(MODULES) as app:
        await app.ports.require_schema()
        ready.touch()
        while not gate.exists():  # noqa: ASYNC110 - other processes set no event here
            await asyncio.sleep(0.001)
        sys.stdout.write(await app.enqueue("bill", invoice=1))


if __name__ == "__main__":
    asyncio.run(ask(Path(sys.argv[1]), Path(sys.argv[2])))
