"""Running a program: asyncio and process groups, which know nothing of the framework."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from commands import leash
from commands.lines import Lines

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL: less than the five that a worker gives a cancelled job."""

MOST_LINES = 10_000
"""Per stream; the rest is read, so that the program can go on, and counted."""

_CHUNK = 65_536
_LEFT_TO_READ = 1.0

Say = Callable[[str], object]


@contextlib.asynccontextmanager
async def running(
    argv: Sequence[str], cwd: str | None, environment: Mapping[str, str], *, out: Say, err: Say
) -> AsyncIterator["Program"]:
    """A program, in a session of its own, with nothing on stdin; its lines are said as they come.

    It and all that it started are gone after the block, however that ends, and on Linux also when
    this process is killed.
    Raises OSError, ValueError if it cannot be started.
    """
    starting = asyncio.create_task(_started(argv, cwd, environment, out, err))
    try:
        # Starting and ending are not to be cancelled half-way: nobody would know of the program.
        yield await asyncio.shield(starting)
    finally:
        await asyncio.shield(asyncio.create_task(_ended(starting)))


class Program:
    """One that runs, as the leader of a process group."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        streams: Sequence["_Stream"],
        says: Sequence[Say],
        resources: contextlib.ExitStack,
    ) -> None:
        self._process = process
        self._streams = streams
        self._resources = resources
        self._readings = [
            asyncio.create_task(stream.read(say)) for stream, say in zip(streams, says, strict=True)
        ]
        self._begun = time.monotonic()
        self.seconds = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output_bytes(self) -> int:
        return sum(stream.count for stream in self._streams)

    async def exit_code(self) -> int:
        """When it has ended. What it left running meanwhile is not waited for."""
        code = await self._process.wait()
        self.seconds = time.monotonic() - self._begun
        return code

    async def end(self) -> None:
        """The group is asked to end, then not asked. What outlived its leader is killed at once."""
        if self._process.returncode is None and self._signal(signal.SIGTERM):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), GRACE)
        self._signal(signal.SIGKILL)
        await self._process.wait()
        await asyncio.wait(self._readings, timeout=_LEFT_TO_READ)
        for reading in self._readings:  # of what somebody outside the group holds open
            reading.cancel()
        await asyncio.gather(*self._readings, return_exceptions=True)
        self._resources.close()

    def _signal(self, number: signal.Signals) -> bool:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        return True


@dataclass
class _Stream:
    """Our end of a pipe. asyncio's own would make `wait()` wait for all who hold the other one."""

    other_end: int
    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport
    count: int = 0

    @classmethod
    async def opened(cls) -> "_Stream":
        ours, other_end = os.pipe()
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
        )
        return cls(other_end, reader, transport)

    def close(self) -> None:
        self.transport.close()

    async def read(self, say: Say) -> None:
        """Until its end: say lines as long as there are not too many, then only count."""
        lines, said = Lines(), 0
        while data := await self._chunk():
            if said < MOST_LINES:
                said += _say_all(lines.feed(data), say)
                if said >= MOST_LINES:
                    say(f"more than {MOST_LINES} lines: the others are not kept")
        if said < MOST_LINES:
            _say_all(lines.feed(b"", final=True), say)

    async def _chunk(self) -> bytes:
        data = await self.reader.read(_CHUNK)
        self.count += len(data)
        await asyncio.sleep(0)  # a program that never pauses leaves no turn to others
        return data


def _say_all(lines: Iterable[str], say: Say) -> int:
    number = 0
    for line in lines:
        say(line)
        number += 1
    return number


async def _started(
    argv: Sequence[str], cwd: str | None, environment: Mapping[str, str], out: Say, err: Say
) -> Program:
    _require(argv[0], environment)
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        held, lifeline = os.pipe()
        theirs.callback(os.close, held)
        ours.callback(os.close, lifeline)
        streams = [await _Stream.opened(), await _Stream.opened()]
        for stream in streams:
            theirs.callback(os.close, stream.other_end)
            ours.callback(stream.close)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", leash.__file__, str(held), *argv),
            cwd=cwd,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=streams[0].other_end,
            stderr=streams[1].other_end,
            pass_fds=[held],
            start_new_session=True,
        )
        return Program(process, streams, [out, err], ours.pop_all())


def _require(name: str, environment: Mapping[str, str]) -> None:
    if "/" not in name and shutil.which(name, path=environment.get("PATH")) is None:
        raise FileNotFoundError(f"PATH leads to no program {name!r}")


async def _ended(starting: asyncio.Task[Program]) -> None:
    with contextlib.suppress(OSError, ValueError):  # of a start that failed: told already
        await (await starting).end()
