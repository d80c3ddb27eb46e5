"""An application as users of taskiq write it; its settings come from the environment."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated

from taskiq import TaskiqDepends, TaskiqEvents, TaskiqState

from framework_m import FrameworkM, JobContext
from tests.support.harness import JOBS

app = FrameworkM(JOBS)
broker = app.broker


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def count_from_here(state: TaskiqState) -> None:
    state.start = 100


@broker.task(name="count_on", retry=3)
async def count_on(n: int, state: Annotated[TaskiqState, TaskiqDepends()]) -> int:
    return int(state.start) + n


@broker.task
async def dies_once(log: Path, context: Annotated[JobContext, TaskiqDepends()]) -> int:
    """With its worker, the first time."""
    _append(log, context.job_id)
    if len(log.read_text().split()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


@broker.task
def waits_for(gate: Path, log: Path) -> str:
    """In a thread, until the gate exists."""
    _append(log, "waits")
    while not gate.exists():
        asyncio.run(asyncio.sleep(0.005))
    return "through"


def _append(log: Path, word: str) -> None:
    with log.open("a") as file:
        file.write(f"{word}\n")
