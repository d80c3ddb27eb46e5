"""One such process, as its worker sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from framework_m.adapters.jobs.processes.frames import (
    Message,
    claim_message,
    framed,
    line_from,
    next_message,
    outcome_from,
    report_from,
)
from framework_m.core.errors import JobProcessDiedError

if TYPE_CHECKING:
    from framework_m.adapters.jobs.processes.hearing import Hearing
    from framework_m.core.interfaces.job_store import Claim, FinishedRun

_COMMAND = (sys.executable, "-P", "-u", "-m", "framework_m.adapters.jobs.processes")
"""Not finding modules in the folder at hand by mistake; what is printed is not held back."""
_LAST_WORDS = 5.0
"""Seconds from the end of the connection to that of the process."""


class JobProcess:
    """Warm: it has the application's modules, and takes one job at a time."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        lifeline: int,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._process = process
        self._lifeline = lifeline
        self._reader, self._writer = streams
        self._burial = asyncio.create_task(self._bury(), name=f"process {process.pid}")

    @classmethod
    async def started(cls) -> JobProcess:
        """In a session of its own: a Ctrl-C is for the worker, and a kill for all it started.

        Raises OSError, and ValueError or NotImplementedError where the system cannot do it.
        """
        ours, theirs = socket.socketpair()
        held, lifeline = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *_COMMAND,
                str(theirs.fileno()),
                str(held),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), held),
                start_new_session=True,
            )
            streams = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            ours.close()
            os.close(lifeline)  # whatever there is of it ends
            raise
        finally:
            theirs.close()
            os.close(held)
        return cls(process, lifeline, streams)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return not self._burial.done() and self._process.returncode is None

    async def prepare(self, job_name: str, opening: Message) -> None:
        """Have it import the modules. Raises JobProcessDiedError."""
        match await self._answer(job_name, opening):
            case {"broken": reason}:
                raise JobProcessDiedError(job_name, f"could not start: {reason}")

    async def run(self, claim: Claim, hearing: Hearing) -> FinishedRun:
        """Its outcome; what it says meanwhile is passed on. Raises JobProcessDiedError."""
        message = await self._answer(claim.job_name, claim_message(claim))
        while "outcome" not in message:
            if "line" in message:
                hearing.say(line_from(message))
            else:
                hearing.report(report_from(message))
            message = await self._answer(claim.job_name)
        return outcome_from(message, claim)

    def kill(self) -> None:
        """It, and what it started: SIGKILL, which nothing can put off."""
        if self._burial.done():
            return  # the number may be another's by now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill it and return when it is gone; also if cancelled meanwhile, it will be."""
        self.kill()
        await asyncio.shield(self._burial)

    async def _answer(self, job_name: str, message: Message | None = None) -> Message:
        try:
            if message is not None:
                self._writer.write(framed(message))
                await self._writer.drain()
            return await next_message(self._reader)
        except (EOFError, OSError, ValueError) as error:
            raise JobProcessDiedError(job_name, await self._how_it_ended()) from error

    async def _how_it_ended(self) -> str:
        done, _ = await asyncio.wait({self._burial}, timeout=_LAST_WORDS)
        if not done:
            await self.end()
            return "lost its connection to the worker, and was killed"
        code = self._process.returncode or 0
        if code >= 0:
            return f"ended with status {code}"
        hint = ": out of memory, perhaps" if code == -signal.SIGKILL else ""
        return f"ended with signal {-code} ({signal.Signals(-code).name}{hint})"

    async def _bury(self) -> None:
        try:
            await self._process.wait()
        finally:
            self.kill()  # what it started, and may hold the connection open
            os.close(self._lifeline)
            self._writer.close()
