"""Processes of our own: they end with whoever started them, and say when they are up.

A child has a session of its own, so that a terminal's Ctrl-C reaches its parent alone, which
passes it on once. It holds one end of a pipe whose other end only its parent has: when that is
closed, however the parent ends, the child is killed with all that it has started.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from framework_m.adapters.jobs.processes.lifeline import die_with_worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PIPES = "FRAMEWORK_M_PIPES"
_lifelines: list[int] = []
"""The pipe that this process ends with; empty if it has no parent of ours."""
_is_up: list[int] = []
"""The pipe that waits for word from this process; empty if nobody does."""


def attach_to_parent() -> None:
    """First of all: end with the parent, if it is one of ours."""
    pipes = os.environ.pop(_PIPES, None)
    if pipes is None:
        return
    lifeline, told = map(int, pipes.split(","))
    os.set_inheritable(told, False)
    die_with_worker(lifeline)
    _lifelines.append(lifeline)
    _is_up.append(told)


def has_parent() -> bool:
    """Whether this process ends with a parent of ours."""
    return bool(_lifelines)


def say_up(folders: Iterable[str] = ()) -> None:
    """Tell the parent that this process begins its work, and which folders its code is in."""
    while _is_up:
        told = _is_up.pop()
        with contextlib.suppress(OSError):
            os.write(told, json.dumps(sorted(folders)).encode())
        os.close(told)


class Child:
    """One such process, as its parent sees it."""

    def __init__(
        self, process: asyncio.subprocess.Process, lifeline: int, told: asyncio.StreamReader
    ) -> None:
        self._process = process
        self._lifeline = lifeline
        self._word = asyncio.create_task(_word(told), name=f"word of {process.pid}")

    @classmethod
    async def started(cls, arguments: Sequence[str]) -> Child:
        """`m` with these arguments. Raises OSError."""
        held, lifeline = os.pipe()
        told, tell = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "framework_m.cli.main", *arguments),
                env={**os.environ, _PIPES: f"{held},{tell}"},
                pass_fds=(held, tell),
                start_new_session=True,
            )
        except BaseException:
            os.close(lifeline)
            os.close(told)
            raise
        finally:
            os.close(held)
            os.close(tell)
        return cls(process, lifeline, await _reader(told))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def was_up(self) -> bool:
        """Whether it ever began its work."""
        return self._word.done() and self._word.result() is not None

    async def up(self) -> Sequence[str] | None:
        """The folders of its code, once it is up; None if it ended before."""
        return await asyncio.shield(self._word)

    async def ended(self, stop: asyncio.Event) -> int:
        """Its exit status; told to stop once, when `stop` is set. Negative after a signal."""
        ended = asyncio.create_task(self._process.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        status = await ended
        os.close(self._lifeline)
        return status


def how_it_ended(status: int) -> str:
    """For people."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


async def _reader(told: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(told, "rb"))
    return reader


async def _word(told: asyncio.StreamReader) -> Sequence[str] | None:
    text = await told.read()
    return [str(folder) for folder in json.loads(text)] if text else None
