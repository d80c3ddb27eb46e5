"""m worker: run jobs, in one process or several."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from framework_m.cli.banner import banner
from framework_m.cli.console import DONE, UsageError, complain, log_to_stderr, run, say
from framework_m.cli.loading import AppOption, load
from framework_m.cli.signals import leave_threads_behind, stop_on_signals
from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.queue_order import QueueOrder
from framework_m.core.outage import pause

if TYPE_CHECKING:
    from framework_m.app import FrameworkM

_POSITIVE = validators.Number(gte=1)
_RESTART_AFTER = 1.0


def worker(
    *,
    queues: Annotated[
        str | None,
        Parameter(
            help="Only these, separated by commas, and how often each has its turn: "
            "critical:4,default:2,low. Else all that jobs name, equally."
        ),
    ] = None,
    strict: Annotated[
        bool,
        Parameter(
            negative=(), help="A queue is served only while those before it have nothing ready."
        ),
    ] = False,
    concurrency: Annotated[
        int | None, Parameter(validator=_POSITIVE, help="Jobs at once, per process.")
    ] = None,
    processes: Annotated[int, Parameter(validator=_POSITIVE, help="Worker processes.")] = 1,
    app: AppOption = None,
) -> int:
    """Run jobs until SIGTERM or SIGINT; running ones may then end within the grace time."""
    application = load(app)
    if concurrency is not None:
        application.change_settings(concurrency=concurrency)
    order = _order(application, queues, strict)
    log_to_stderr()
    if processes > 1:
        return run(_supervise(_command(app, queues, strict, concurrency), processes))
    say(banner(application, queues=str(order)))
    run(_work(application, order))
    return leave_threads_behind(DONE)


def _order(app: FrameworkM, text: str | None, strict: bool) -> QueueOrder:
    if text is None and strict:
        raise UsageError("--strict needs --queues: there is no order without them")
    if text is None:
        return app.settings.queue_order or QueueOrder.of(app.registry.queues)
    try:
        order = QueueOrder.parse(text, strict=strict)
    except ConfigurationError as error:
        raise UsageError(f"--queues: {error}") from error
    unknown = [name for name in order.queues if name not in app.registry.queues]
    if unknown:
        complain(f"no job function names the queue {', '.join(unknown)}; serving it all the same")
    return order


async def _work(app: FrameworkM, order: QueueOrder) -> None:
    await app.run_worker(stop_on_signals(), order)


async def _supervise(command: list[str], processes: int) -> int:
    """Keep that many workers alive; stop them all when told to."""
    stop = stop_on_signals()
    await asyncio.gather(*(_keep_alive(command, stop) for _ in range(processes)))
    return DONE


async def _keep_alive(command: list[str], stop: asyncio.Event) -> None:
    while not stop.is_set():
        child = await asyncio.create_subprocess_exec(*command)
        ended = asyncio.create_task(child.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if stop.is_set():
            if child.returncode is None:
                child.terminate()
            await ended
            return
        if child.returncode == DONE:
            say(f"worker process {child.pid} was drained")
            return
        complain(f"worker process {child.pid} ended with status {child.returncode}; another starts")
        await pause(_RESTART_AFTER, stop)


def _command(
    app: str | None, queues: str | None, strict: bool, concurrency: int | None
) -> list[str]:
    """This command again, for a single process."""
    command = [sys.executable, "-m", "framework_m.cli.main", "worker"]
    for option, value in (("--app", app), ("--queues", queues), ("--concurrency", concurrency)):
        if value is not None:
            command += [option, str(value)]
    return [*command, "--strict"] if strict else command
