"""Runs one server as its parent, and ends it when whoever asked for it is gone, however that died.

    python guard.py '{"command": [...], "ready": "...", ...}'     (see Order)

Standard input is the lifeline: each line names a signal for the server; its end means that the test
run is gone, even by SIGKILL. Then the server is ended and its folder removed. Standard output says
`pid N`, `ready`, and on failure nothing more. The server's own output goes to the log.

A process of its own, for three reasons: the parent of a child can signal it without ever hitting
another process that got its id; a thread of the test run that ends takes no server with it; Ctrl-C
reaches the test run alone. Standard library only, so that it starts in 20 ms with `-I -S`.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, TypedDict

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STDIN = 0
GRACE = 10  # seconds for an orphaned server to end by itself


class Order(TypedDict):
    """What to run, in the form in which it travels on the command line."""

    command: list[str]
    ready: str  # the words in the server's output which say that it serves
    log: str
    directory: str  # removed if the lifeline ends
    quit_by: str  # the signal that ends it at once and cleanly
    user: int | None  # whom to run as; only root can choose
    group: int | None


def die_with_the_guard() -> Callable[[], None] | None:
    """Linux ends the server even when the guard is killed, and gives the guard its orphans.

    Elsewhere the lifeline has to do.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def bury_orphans() -> None:
    """Wait for what a killed server left running, so that no zombie is left to init."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


def launch(order: Order, output: int) -> "subprocess.Popen[bytes]":
    """Start the server. Its descendants inherit `output`: that ends when the last of them has."""
    return subprocess.Popen(
        order["command"],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=order["directory"],
        preexec_fn=die_with_the_guard(),  # noqa: PLW1509 - the guard has one thread
        user=order["user"],
        group=order["group"],
        extra_groups=None if order["user"] is None else [],
    )


class Guard:
    """Copies the server's output to its log, passes on signals, and notices both ends' end."""

    def __init__(self, order: Order, log: BinaryIO) -> None:
        self._order = order
        self._log = log
        self._pending = b""
        self._orphaned = False
        self._output, output = os.pipe()
        self._server = launch(order, output)
        os.close(output)
        self._say(f"pid {self._server.pid}")

    def run(self) -> int:
        """Until the server and all its descendants have ended."""
        sources = [self._output, STDIN]
        while self._output in sources:
            for source in select.select(sources, [], [])[0]:
                data = os.read(source, 65536)
                if not data:
                    sources.remove(source)
                if source == STDIN:
                    self._obey(data)
                else:
                    self._record(data)
        status = self._server.wait()
        bury_orphans()
        if self._orphaned:
            shutil.rmtree(self._order["directory"], ignore_errors=True)
        return status

    def _obey(self, orders: bytes) -> None:
        if orders:
            for name in orders.decode().split():
                self._server.send_signal(signal.Signals[name])
        else:
            self._orphaned = True
            self._server.send_signal(signal.Signals[self._order["quit_by"]])
            signal.signal(signal.SIGALRM, lambda *_: self._server.kill())
            signal.alarm(GRACE)

    def _record(self, data: bytes) -> None:
        self._log.write(data)
        self._log.flush()
        seen = self._pending + data
        if self._order["ready"].encode() in seen:
            self._say("ready")
            seen = b""
        self._pending = seen[-len(self._order["ready"]) :]

    def _say(self, line: str) -> None:
        # Nobody to tell is no reason to stop: the lifeline says so next.
        with suppress(BrokenPipeError):
            os.write(1, f"{line}\n".encode())


def main() -> int:
    order: Order = json.loads(sys.argv[1])
    with open(order["log"], "ab") as log:  # noqa: PTH123 - pathlib would double the time to start
        return Guard(order, log).run()


if __name__ == "__main__":
    sys.exit(main())
