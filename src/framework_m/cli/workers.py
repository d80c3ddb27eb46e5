"""m worker:list, m worker:drain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import (
    DONE,
    FAILED,
    UsageError,
    complain,
    run,
    say,
    say_json,
    say_table,
)
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.worker import WorkerInfo

_MEGABYTE = 1_000_000


def worker_list(*, as_json: Json = False, app: AppOption = None) -> int:
    """List the workers: what they serve, how much they run, and when they were last heard of."""
    found = run(_list(load(app)))
    if as_json:
        say_json([worker.model_dump(mode="json", exclude={"jobs"}) for worker in found])
    else:
        _say_workers(found)
    return DONE


def worker_drain(
    *names: Annotated[str, Parameter(help="The workers' names, as in worker:list.")],
    every: Annotated[bool, Parameter(name="--all", negative=(), help="All that work now.")] = False,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Ask workers to begin no more jobs, and to end after those that they run."""
    if every == bool(names):
        raise UsageError("name the workers to drain, or --all")
    asked = run(_drain(load(app), None if every else names))
    unknown = sorted(set(names) - asked)
    if as_json:
        say_json(sorted(asked))
    else:
        for name in sorted(asked):
            say(f"{name} drains")
    for name in unknown:
        complain(f"no worker has the name {name}")
    return FAILED if unknown else DONE


async def _list(app: FrameworkM) -> Sequence[WorkerInfo]:
    async with app:
        await app.ports.require_schema()
        return await app.workers.list()


async def _drain(app: FrameworkM, names: Sequence[str] | None) -> frozenset[str]:
    async with app:
        await app.ports.require_schema()
        if names is None:
            return await app.workers.drain_all()
        return frozenset([name for name in names if await app.workers.drain(name)])


def _say_workers(found: Sequence[WorkerInfo]) -> None:
    say_table(
        ("WORKER", "STATUS", "RUNNING", "QUEUES", "MEMORY", "STARTED", "LAST SEEN"),
        [
            (
                worker.name,
                worker.status.value,
                f"{worker.running}/{worker.concurrency}",
                ",".join(worker.queues),
                _memory(worker.memory_bytes),
                worker.started_at.isoformat(timespec="seconds"),
                worker.last_seen.isoformat(timespec="seconds"),
            )
            for worker in found
        ],
    )


def _memory(size: int | None) -> str:
    return "-" if size is None else f"{size / _MEGABYTE:.0f} MB"
