"""Stopping: the first signal asks, the second does not."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

from framework_m.cli.children import has_parent
from framework_m.cli.console import FAILED, complain


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets; a second one ends the process at once.

    Not a child of ours: a service's SIGTERM goes to all of its processes, and its parent passes
    on the one that it got. Who wants it at once ends the parent, and the child goes with it.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set() and not has_parent():
            complain("stopped at once; what was running will be run again")
            os._exit(FAILED)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, asked)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(asked))
    return stop


def leave_threads_behind(status: int) -> int:
    """End the process though a job's thread still runs: its job has been given back."""
    if any(thread.name.startswith("job") and thread.is_alive() for thread in threading.enumerate()):
        os._exit(status)
    return status
