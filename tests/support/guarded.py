"""A server process under guard: started, signalled and ended by its process id."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.guard import Order

GUARD = Path(__file__).with_name("guard.py")
PATIENCE = 60.0  # seconds; a loaded machine is slow, not broken


class ServerFailed(RuntimeError):
    """A server did not start, or did not end; says what its log says."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a server runs as."""

    user: int
    group: int


class GuardedProcess:
    """One run of one server; `tests/support/guard.py` is its parent and ends it when we are gone.

    Blocking, and safe to call from any thread.
    """

    def __init__(
        self,
        command: list[str],
        *,
        ready: str,
        directory: Path,
        quit_by: signal.Signals,
        account: Account | None = None,
    ) -> None:
        """Return when its output has said `ready`. Raises ServerFailed if it ends instead."""
        self.log = directory / "server.log"
        self._said = b""
        order = Order(
            command=command,
            ready=ready,
            log=str(self.log),
            directory=str(directory),
            quit_by=quit_by.name,
            user=account.user if account else None,
            group=account.group if account else None,
        )
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self.pid = int(self._hear("pid").removeprefix("pid "))
            self._hear("ready")
        except BaseException:
            self.end(signal.SIGKILL)
            raise

    @property
    def guard_pid(self) -> int:
        """The process id of the server's parent."""
        return self._guard.pid

    def end(self, how: signal.Signals) -> None:
        """Send the signal, then wait until the server and all its child processes are gone.

        Twice: harmless.
        """
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        if self._guard.stdin.closed:
            return
        with suppress(BrokenPipeError):  # it had ended already
            os.write(self._guard.stdin.fileno(), f"{how.name}\n".encode())
        try:
            self._guard.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"did not end on {how.name}; its log ends:\n{self.tail()}") from None
        finally:
            # Closing the lifeline ends whatever did not end by itself.
            self._guard.stdin.close()
            self._guard.stdout.close()

    def tail(self, lines: int = 20) -> str:
        """Return how the log ends."""
        if not self.log.exists():
            return "(empty)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _hear(self, word: str) -> str:
        assert self._guard.stdout is not None
        deadline = time.monotonic() + PATIENCE
        while True:
            line, newline, rest = self._said.partition(b"\n")
            if newline:
                self._said = rest
                if line.startswith(word.encode()):
                    return line.decode()
                continue
            left = max(0.0, deadline - time.monotonic())
            pipe = self._guard.stdout.fileno()
            data = os.read(pipe, 4096) if select.select([pipe], [], [], left)[0] else b""
            if not data:
                raise ServerFailed(f"never said {word!r}; its log ends:\n{self.tail()}")
            self._said += data
