"""A command at a terminal: what it shows, and keys for it."""

import asyncio
import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_DEADLINE = 30.0
_CTRL_C = b"\x03"
_AT_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""The command gets the terminal for its own, as a shell would give it: Ctrl-C is for its group."""


class Terminal:
    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self._shown = ""
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(screen, self._read)

    @property
    def shown(self) -> str:
        """Everything so far."""
        return self._shown

    async def shows(self, text: str, times: int = 1) -> str:
        """What it has shown, once that is there so often."""
        async with asyncio.timeout(_DEADLINE):
            while self._shown.count(text) < times:
                assert self.process.poll() is None, self._shown
                self._changed.clear()
                await self._changed.wait()
        return self._shown

    def press_ctrl_c(self) -> None:
        os.write(self._screen, _CTRL_C)

    async def ended(self) -> int:
        """Its exit status."""
        return await asyncio.to_thread(self.process.wait, _DEADLINE)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._screen)
        self.process.kill()
        self.process.wait()
        os.close(self._screen)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # it has ended
            some = os.read(self._screen, 65_536)
            self._shown += some.decode(errors="replace").replace("\r\n", "\n")
            self._changed.set()
            return
        asyncio.get_running_loop().remove_reader(self._screen)


@contextlib.contextmanager
def terminal(
    *command: str, environment: Mapping[str, str], folder: Path = _ROOT
) -> Iterator[Terminal]:
    """The command in a terminal that is closed when the block is left."""
    screen, keyboard = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _AT_THE_TERMINAL, *command],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        start_new_session=True,
    )
    os.close(keyboard)
    opened = Terminal(process, screen)
    try:
        yield opened
    finally:
        opened.close()
