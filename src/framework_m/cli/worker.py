"""m worker: run jobs, in one process or several."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from framework_m.cli.banner import banner
from framework_m.cli.children import say_up
from framework_m.cli.console import DONE, UsageError, complain, log_to_stderr, run, say
from framework_m.cli.health import health_served
from framework_m.cli.listening import listening, url_of
from framework_m.cli.loading import AppOption, folders, load
from framework_m.cli.signals import leave_threads_behind, stop_on_signals
from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.queue_order import QueueOrder

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from framework_m.app import FrameworkM

UNLIMITED = "unlimited"
_MOST_AT_ONCE = 1_000_000
_POSITIVE = validators.Number(gte=1)
_HIGHEST_PORT = 65_535
_PORT = validators.Number(gte=0, lte=_HIGHEST_PORT)


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
        str | None,
        Parameter(help="Jobs at once, per process: a number, or unlimited. 50 if not set."),
    ] = None,
    processes: Annotated[int, Parameter(validator=_POSITIVE, help="Worker processes.")] = 1,
    burst: Annotated[
        bool, Parameter(negative=(), help="End when nothing is left to do now, with status 0.")
    ] = False,
    health_port: Annotated[
        int | None,
        Parameter(
            validator=_PORT,
            help="Answer /health/live and /health/ready there; of several processes each on the "
            "next one. 0 is any that is free.",
        ),
    ] = None,
    health_host: Annotated[
        str | None, Parameter(help="The address of that port: 127.0.0.1, or 0.0.0.0 for all.")
    ] = None,
    reload: Annotated[
        bool, Parameter(negative=(), help="For development: anew whenever the code has changed.")
    ] = False,
    no_banner: Annotated[
        bool, Parameter(name="--no-banner", negative=(), help="Begin with the worker's name alone.")
    ] = False,
    app: AppOption = None,
) -> int:
    """Run jobs until SIGTERM or SIGINT; running ones may then end within the grace time."""
    if reload and burst:
        raise UsageError("--burst ends, and --reload begins anew: one of them is enough")
    given = {
        "--app": app,
        "--queues": queues,
        "--strict": strict,
        "--concurrency": concurrency,
        "--burst": burst,
        "--health-host": health_host,
    }
    if reload:
        more = {"--processes": processes, "--health-port": health_port, "--no-banner": no_banner}
        return _reload({**given, **more})
    application = load(app)
    _change_settings(application, _at_once(concurrency), health_port, health_host)
    order = _order(application, queues, strict)
    log_to_stderr()
    if processes == 1:
        return _work(application, order, burst=burst, in_full=not no_banner)
    if not no_banner:
        say(banner(application, queues=str(order), processes=processes))
    return _supervise(application, given, processes)


def _at_once(concurrency: str | None) -> int | str | None:
    if concurrency is None or concurrency == UNLIMITED:
        return concurrency
    if not concurrency.isdecimal() or not 1 <= int(concurrency) <= _MOST_AT_ONCE:
        known = f"a number from 1 to {_MOST_AT_ONCE}, or {UNLIMITED}"
        raise UsageError(f"--concurrency {concurrency!r}: must be {known}")
    return int(concurrency)


def _change_settings(
    app: FrameworkM,
    concurrency: int | str | None,
    health_port: int | None,
    health_host: str | None,
) -> None:
    given = {
        "concurrency": concurrency,
        "health_port": health_port,
        "health_host": health_host,
    }
    app.change_settings(**{name: value for name, value in given.items() if value is not None})
    if app.settings.concurrency is None:
        complain(
            "unlimited concurrency: every job that is due begins at once, however many there are; "
            "memory and database connections are the limit"
        )


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


def _work(app: FrameworkM, order: QueueOrder, *, burst: bool, in_full: bool) -> int:
    settings = app.settings
    with contextlib.ExitStack() as stack:
        listener = None
        if settings.health_port is not None:
            listener = stack.enter_context(listening(settings.health_host, settings.health_port))
        name = _worker_name()
        if in_full:
            say(banner(app, queues=str(order), worker=name, health=listener))
        else:
            at = f", health at {url_of(listener)}" if listener is not None else ""
            say(f"worker {name} serves {order}{at}")
        say_up(folders(app))
        run(_run(app, order, name, listener, burst=burst))
    return leave_threads_behind(DONE)


async def _run(
    app: FrameworkM,
    order: QueueOrder,
    name: str,
    listener: socket.socket | None,
    *,
    burst: bool,
) -> None:
    stop, drained = stop_on_signals(), asyncio.Event()
    with health_served(app, stop, drained, listener):
        if not burst:
            await app.run_worker(stop, order, name=name, drained=drained)
            return
        runs = await app.run_until_empty(order, stop=stop, name=name)
        say(f"ended after {runs} runs")


def _worker_name() -> str:
    from framework_m.adapters.jobs.ports import worker_id  # noqa: PLC0415 - loads the vendors

    return worker_id()


def _supervise(app: FrameworkM, given: Mapping[str, object], processes: int) -> int:
    """This command again, in so many processes."""
    from framework_m.cli.supervisor import Supervisor  # noqa: PLC0415 - for several only

    ports = _health_ports(app, processes)
    commands = [_command({**given, "--health-port": port, "--no-banner": True}) for port in ports]

    async def supervise() -> int:
        return await Supervisor(commands, stop_on_signals()).run()

    say_up(folders(app))
    return run(supervise())


def _health_ports(app: FrameworkM, processes: int) -> Sequence[int | None]:
    """Of each process. Raises CommandFailedError if one of them is taken."""
    first, host = app.settings.health_port, app.settings.health_host
    if not first:
        return [first] * processes
    if first + processes - 1 > _HIGHEST_PORT:
        raise UsageError(f"--health-port {first}: too high for {processes} processes")
    ports = range(first, first + processes)
    with contextlib.ExitStack() as stack:
        for port in ports:
            stack.enter_context(listening(host, port))
    return ports


def _reload(given: Mapping[str, object]) -> int:
    from framework_m.cli.reload import reloading  # noqa: PLC0415 - for development only

    return run(reloading(_command(given)))


def _command(given: Mapping[str, object]) -> list[str]:
    """The arguments of `m worker` with these options."""
    arguments = ["worker"]
    for option, value in given.items():
        if value is True:
            arguments.append(option)
        elif value is not None and value is not False:
            arguments += [option, str(value)]
    return arguments
