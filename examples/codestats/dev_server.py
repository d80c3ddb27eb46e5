"""`m dev` as a child process: started on a fresh database, and never left behind."""

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
DATA = HERE / ".data"

LOOK_EVERY = 0.1
_STOP_GRACE = 2  # seconds that the server lets a running job finish
_STOP_TIMEOUT = 30  # longer than `m dev` takes when all of its own limits are reached


class DemoError(Exception):
    """Something went wrong; the message says what."""


class Stopped(Exception):
    """A signal asked the demo to end."""


class Signals:
    """Counts the signals that ask for an end; a second one means at once.

    They interrupt nothing, so that no moment exists in which one could leave the server behind:
    whoever waits does it with `pause`.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, lambda number, _: self.received.append(number))

    def pause(self) -> None:
        """Wait a moment. Raises Stopped if a signal has come."""
        if not self.received:
            time.sleep(LOOK_EVERY)
        if self.received:
            print("\nstopping; a second signal does it at once")
            raise Stopped


class DevServer:
    """`m dev`, running."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process = process
        self._log = log
        self.url = f"http://127.0.0.1:{port}"

    @property
    def token(self) -> str:
        """The one that `m dev` prints for whoever started it."""
        found = re.search(r"^  token +(\S+)", self._log.read_text(errors="replace"), re.MULTILINE)
        if found is None:
            raise DemoError(f"the server prints no token; {self}")
        return found[1]

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def require_alive(self) -> None:
        if not self.is_alive:
            raise DemoError(f"the server ended with status {self._process.returncode}; {self}")

    def __str__(self) -> str:
        last = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
        return f"its log is {self._log} and ends:\n{last}"

    def stop(self, signals: Signals) -> None:
        """Ask it to end; end it, and all that it started, if it does not or nobody will wait."""
        deadline = time.monotonic() + _STOP_TIMEOUT
        asked_before = min(len(signals.received), 1)
        if self.is_alive:
            self._process.terminate()
        while self.is_alive and time.monotonic() < deadline:
            if len(signals.received) > asked_before:
                break
            time.sleep(LOOK_EVERY)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def dev_server(
    signals: Signals, *, port: int | None, options: Sequence[str] = ()
) -> Iterator[DevServer]:
    """`m dev` on a fresh database, gone when the block ends however it ends."""
    with _data_folder() as (folder, lock):
        port = _free_port(port)
        log = folder / "server.log"
        print(f"starting m dev; its log is {log}")
        server = DevServer(_start(folder, lock, log, port, options), port, log)
        try:
            yield server
        finally:
            server.stop(signals)


@contextlib.contextmanager
def _data_folder() -> Iterator[tuple[Path, IO[str]]]:
    """An empty folder that no other running demo has, and what holds it."""
    DATA.mkdir(exist_ok=True)
    for number in itertools.count(1):
        with (DATA / f"{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            folder = DATA / str(number)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder, lock
            return


def _start(
    folder: Path, lock: IO[str], log: Path, port: int, options: Sequence[str]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "framework_m.cli.main", "dev"]
    command += ["--app", "codestats.app:app", "--port", str(port), *options]
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=HERE,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is ours to pass on
            pass_fds=(lock.fileno(),),  # should it outlive us, its folder stays its own
        )


def _environment(folder: Path) -> dict[str, str]:
    """The caller's, without what would make this demo run on the caller's servers."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "NATS_URL" and not name.startswith("FRAMEWORK_M_")
    }
    path = os.pathsep.join(filter(None, [str(HERE), kept.get("PYTHONPATH")]))
    return {
        **kept,
        "PYTHONPATH": path,
        # Relative, so that nothing in the checkout's own path needs quoting in a URL.
        "DATABASE_URL": f"sqlite:///{(folder / 'demo.db').relative_to(HERE)}",
        "FRAMEWORK_M_STOP_GRACE": str(_STOP_GRACE),
    }


def _free_port(wanted: int | None) -> int:
    """Checked beforehand, lest another server on that port be taken for ours."""
    try:
        with socket.create_server(("127.0.0.1", wanted or 0)) as listener:
            port: int = listener.getsockname()[1]
            return port
    except (OSError, OverflowError) as error:
        raise DemoError(f"cannot listen on port {wanted}: {error}") from error
