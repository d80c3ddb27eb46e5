"""Job functions that run in threads and processes, and do there what is hard to survive."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from framework_m import Backoff, JobContext, Retry, Snooze, job
from framework_m.core.identity import acting_user_id


@job(executor="process")
def tells_where(ctx: JobContext, price: Decimal) -> dict[str, str | int | Decimal | None]:
    ctx.progress(1, 4, "a quarter")
    ctx.progress(2, 4, "half")
    ctx.log("from the context")
    logging.getLogger("shop.stock").warning("from %s", "logging")
    logging.getLogger("shop.stock").debug("not worth keeping")
    ctx.check_cancelled()
    return {
        "pid": os.getpid(),
        "price": price * 2,
        "job": ctx.job_id,
        "user": ctx.user_id,
        "acting": acting_user_id(),
        "correlation": ctx.correlation_id,
        "attempt": ctx.attempt,
    }


@job(executor="process", retries=2, backoff=Backoff(min=0, max=0))
def asks(ctx: JobContext, log: Path, what: str) -> int:
    with log.open("a") as file:
        file.write("run\n")
    first = len(log.read_text().split()) == 1
    match what:
        case "retry" if first:
            raise Retry(after=0.01)
        case "snooze" if first:
            raise Snooze(after=0.01)
        case "error" if ctx.attempt < 3:
            raise LookupError(f"attempt {ctx.attempt}")
        case "exit":
            sys.exit("enough")
        case "unstorable":
            return object()  # type: ignore[return-value]
    return ctx.attempt


@job(executor="process", retries=0)
def wants_services(ctx: JobContext) -> None:
    ctx.transaction()


@job(executor="process", retries=0)
def crashes(how: str) -> None:
    match how:
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)


@job(executor="process")
def squares(n: int) -> int:
    return n * n


@job(executor="process")
def echoes(text: str) -> str:
    return text[::-1]


@job(executor="process", retries=0, timeout=0.5)
def never_ends(pids: Path) -> None:
    """Not even Python can interrupt it, and it has a child of its own."""
    _with_a_child(pids)
    while True:
        ...


@job(executor="process")
def stuck_in_c(pids: Path) -> None:
    """The first time: in a C function that keeps the interpreter's lock."""
    if pids.exists():
        return
    _with_a_child(pids)
    ctypes.PyDLL(None).sleep(1000)


def _with_a_child(pids: Path) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    draft = pids.with_suffix(".draft")
    draft.write_text(f"{os.getpid()}\n{child.pid}\n")
    draft.rename(pids)


@job(retries=0, timeout=0.2)
def deaf_thread(gate: Path) -> None:
    """Asks nobody whether it is still wanted."""
    while not gate.exists():
        time.sleep(0.005)


@job(retries=0, timeout=0.2)
def polite_thread(ctx: JobContext, log: Path) -> None:
    try:
        while True:
            ctx.check_cancelled()
            time.sleep(0.005)
    finally:
        log.write_text("noticed\n")


@job
def thread_note(log: Path, word: str) -> None:
    with log.open("a") as file:
        file.write(f"{word}\n")


@job(executor="process")
def waits_in_process(log: Path, gate: Path) -> int:
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not gate.exists():
        time.sleep(0.005)
    return os.getpid()


@job
def waits_to_be_asked(ask: Any) -> None:
    while True:
        ask()
        time.sleep(0.005)
