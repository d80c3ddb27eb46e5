"""A process that dies with its worker, however the worker dies, and takes what it started along.

The worker holds the only writing end of a pipe, and the kernel closes it when the worker is gone.
PR_SET_PDEATHSIG would not do: it ends the process alone, is sent when the *thread* that started it
ends, and by ending it first would keep the process group from being told.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
from typing import NoReturn

_BY_THE_KERNEL = hasattr(fcntl, "F_SETSIG")


def die_with_worker(lifeline: int) -> None:
    """The whole process group ends when the other end of this pipe is closed."""
    os.set_inheritable(lifeline, False)
    if _BY_THE_KERNEL:
        with contextlib.suppress(OSError):  # a sandbox may not know it: there is the thread
            _have_the_kernel_kill(lifeline)
    threading.Thread(target=_wait_and_kill, args=[lifeline], name="lifeline", daemon=True).start()


def _have_the_kernel_kill(lifeline: int) -> None:
    """Linux: a signal of our choice to the group, also while a C function keeps the GIL."""
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgid(0))
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)


def _wait_and_kill(lifeline: int) -> None:
    """Everywhere, and for a worker that was gone before the kernel knew of us."""
    os.read(lifeline, 1)
    end_all()


def end_all() -> NoReturn:
    """This process, and what it started."""
    os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)  # never reached, as far as signals go
