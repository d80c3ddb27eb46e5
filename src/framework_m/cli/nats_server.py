"""m dev --nats: a NATS server of this process's own, with its store beside the SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from framework_m.cli.console import CommandFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_START_TIMEOUT = 10.0
_STOP_TIMEOUT = 10.0
_LOOK_EVERY = 0.02
_PR_SET_PDEATHSIG = 1


@contextlib.asynccontextmanager
async def nats_server(store: Path) -> AsyncIterator[str]:
    """The URL of a server with JetStream, stopped when the block is left."""
    program = _program()
    await asyncio.to_thread(store.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as ports, (store / "nats-server.log").open("ab") as log:
        server = await asyncio.create_subprocess_exec(
            *(program, "-js", "-sd", str(store), "-a", "127.0.0.1", "-p", "-1"),
            *("--ports_file_dir", ports),
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is ours to pass on, last
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        try:
            yield await _url(server, Path(ports), log.name)
        finally:
            await _stop(server)


def _program() -> str:
    """The server that pip installed beside this Python, or one on the PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise UsageError("--nats needs a NATS server: pip install 'framework-m[dev]'")
    return found


async def _url(server: asyncio.subprocess.Process, ports: Path, log: str) -> str:
    """Where it listens, once it does: it writes a file that says so."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_TIMEOUT):
            while server.returncode is None:
                for file in await asyncio.to_thread(lambda: list(ports.glob("*.ports"))):
                    with contextlib.suppress(ValueError, LookupError):  # half written
                        return str(json.loads(file.read_text())["nats"][0])
                await asyncio.sleep(_LOOK_EVERY)
    raise CommandFailedError(f"nats-server did not start; see {log}")


def _die_with_parent() -> None:
    """Even a killed `m dev` leaves no server behind, which would keep the store for itself."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _stop(server: asyncio.subprocess.Process) -> None:
    if server.returncode is not None:
        return
    server.terminate()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()
