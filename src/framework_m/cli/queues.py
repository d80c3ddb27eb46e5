"""m queue:list, m queue:pause, m queue:resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import DONE, UsageError, complain, run, say, say_json, say_table
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json
from framework_m.core.errors import InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.queue import QueueInfo

QueueName = Annotated[str, Parameter(help="The queue.")]


def queue_list(*, as_json: Json = False, app: AppOption = None) -> int:
    """List the queues: paused or not, how many jobs wait and run, and how fast they end."""
    found = run(_list(load(app)))
    if as_json:
        say_json([queue.model_dump(mode="json") for queue in found])
    else:
        _say_queues(found)
    return DONE


def queue_pause(name: QueueName, /, *, as_json: Json = False, app: AppOption = None) -> int:
    """Let no job of a queue start, in any process; those that run go on."""
    return _set(load(app), name, as_json, paused=True)


def queue_resume(name: QueueName, /, *, as_json: Json = False, app: AppOption = None) -> int:
    """Let the jobs of a paused queue start again."""
    return _set(load(app), name, as_json, paused=False)


async def _list(app: FrameworkM) -> Sequence[QueueInfo]:
    async with app:
        await app.ports.require_schema()
        return await app.queues.list()


def _set(app: FrameworkM, name: str, as_json: bool, *, paused: bool) -> int:
    try:
        run(_save(app, name, paused))
    except InvalidDocumentError as error:
        raise UsageError(str(error)) from error
    if name not in app.registry.queues:
        complain(f"no job function names the queue {name}")
    if as_json:
        say_json({"name": name, "paused": paused})
    else:
        say(f"{name} is paused" if paused else f"{name} is open")
    return DONE


async def _save(app: FrameworkM, name: str, paused: bool) -> None:
    async with app:
        await app.ports.require_schema()
        await (app.queues.pause(name) if paused else app.queues.resume(name))


def _say_queues(found: Sequence[QueueInfo]) -> None:
    say_table(
        (
            *("QUEUE", "STATE", "LIMIT", "WAITING", "SCHEDULED", "BLOCKED", "RUNNING"),
            *("PER MINUTE", "FAILED", "OLDEST"),
        ),
        [
            (
                queue.name,
                "paused" if queue.paused else "open",
                "-" if queue.concurrency is None else str(queue.concurrency),
                str(queue.waiting),
                str(queue.scheduled),
                str(queue.blocked),
                str(queue.running),
                str(queue.finished_per_minute),
                str(queue.failed_per_minute),
                _age(queue.oldest_waiting_seconds),
            )
            for queue in found
        ],
    )


def _age(seconds: float | None) -> str:
    return "-" if seconds is None else f"{max(0.0, seconds):.0f} s"
