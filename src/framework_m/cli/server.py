"""m web, m dev: the web application, alone or with a worker beside it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.banner import banner
from framework_m.cli.children import say_up
from framework_m.cli.console import (
    DONE,
    CommandFailedError,
    UsageError,
    complain,
    log_to_stderr,
    run,
    say,
)
from framework_m.cli.listening import listening, url_of
from framework_m.cli.loading import AppOption, folders, load
from framework_m.cli.migrate import outdated
from framework_m.cli.nats_server import nats_server
from framework_m.cli.signals import leave_threads_behind, stop_on_signals
from framework_m.cli.tokens import dev_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework_m.app import FrameworkM

Host = Annotated[str, Parameter(help="The address to listen on.")]
Port = Annotated[int, Parameter(help="The port to listen on.")]

_STOP_TIMEOUT = 10


def web(*, host: Host = "127.0.0.1", port: Port = 8000, app: AppOption = None) -> int:
    """Serve the application over HTTP."""
    application = load(app)
    with listening(host, port) as listener:
        log_to_stderr()
        say(banner(application, url=url_of(listener)))
        run(_web(application, listener))
    return DONE


def dev(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    nats: Annotated[
        bool, Parameter(negative=(), help="Over a NATS server of its own, started beside it.")
    ] = False,
    reload: Annotated[
        bool, Parameter(negative=(), help="Anew whenever the code has changed.")
    ] = False,
    app: AppOption = None,
) -> int:
    """Migrate, then serve and work in one process: for development, on a loopback address."""
    _require_loopback(host)
    if reload:
        return _reload(host, port, nats=nats, app=app)
    application = load(app)
    with listening(host, port) as listener:
        log_to_stderr()
        say_up(folders(application))
        run(_dev_on_nats(application, listener) if nats else _dev(application, listener))
    return leave_threads_behind(DONE)


def _reload(host: str, port: int, *, nats: bool, app: str | None) -> int:
    from framework_m.cli.reload import reloading  # noqa: PLC0415 - for this only

    arguments = ["dev", "--host", host, "--port", str(port)]
    arguments += ["--nats"] if nats else []
    arguments += ["--app", app] if app is not None else []
    return run(reloading(arguments))


async def _web(app: FrameworkM, listener: socket.socket) -> None:
    await _serve(app, listener, stop_on_signals())


async def _dev_on_nats(app: FrameworkM, listener: socket.socket) -> None:
    async with nats_server(_store(app)) as url:
        app.change_settings(nats_url=url, backend="nats")
        await _dev(app, listener)


def _store(app: FrameworkM) -> Path:
    """Beside the SQLite file; with another database, in the current folder."""
    url = app.settings.database_url.get_secret_value()
    file = Path(url.partition(":///")[2]) if url.startswith("sqlite") else Path("framework_m.db")
    return file.with_name(f"{file.name}.nats")


async def _dev(app: FrameworkM, listener: socket.socket) -> None:
    stop = stop_on_signals()
    await app.migrate()
    say(banner(app, url=url_of(listener)))
    async with app:
        say(f"  token      {await dev_token(app)} (System Manager, for 12 hours)")
        told = await outdated(app)
        if told is not None:
            say(f"  documents  {told}")
        working = asyncio.create_task(_work(app, stop), name="worker")
        try:
            await _serve(app, listener, stop)
        finally:
            stop.set()
            await working


async def _work(app: FrameworkM, stop: asyncio.Event) -> None:
    """Until `stop`. If it cannot, nothing else is to look as if all were well."""
    try:
        await app.run_worker(stop)
    except BaseException:
        stop.set()
        raise
    if not stop.is_set():
        complain("its worker was drained: jobs are left to others from now on; start it again")


async def _serve(app: FrameworkM, listener: socket.socket, stop: asyncio.Event) -> None:
    import uvicorn  # noqa: PLC0415 - only where something is served

    class Server(uvicorn.Server):
        """Leaves signals to us: uvicorn would raise them again after it has stopped."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app.asgi,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=_STOP_TIMEOUT,
    )
    server = Server(config)

    async def stop_server() -> None:
        await stop.wait()
        server.should_exit = True

    stopping = asyncio.create_task(stop_server())
    try:
        await server.serve(sockets=[listener])
    finally:
        stopping.cancel()
    if not server.started:
        raise CommandFailedError("the web application did not start; the log says why")


def _require_loopback(host: str) -> None:
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise UsageError(
            f"--host {host}: m dev is for the machine it runs on, and prints a token that may do "
            f"everything; serve others with `m web`"
        )
