"""A terminal with a shell in it, as a person has before them."""

import re
import sys
from pathlib import Path
from typing import Any

import pexpect

from tests.support.processes import bare_environment

_PROMPT = "ready$ "
_TIMEOUT = 30
_WIDTH = 100
_DRAWN_OVER = re.compile(r"\r+\n|(?:\r?\x1b\[[12]?K|\r?\x1b\[1?A)+")
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")
UUID = r"[0-9a-f]{8}-[0-9a-f-]{27}"


class Shell:
    """Types into a shell and reads what comes, through a real pseudo-terminal.

    All that is seen is kept: `transcript()` has it as text.
    """

    def __init__(
        self, folder: Path, program: str = "/bin/sh", *options: str, **environment: str
    ) -> None:
        programs = Path(sys.executable).parent
        self._seen = _Seen()
        self._shell: Any = pexpect.spawn(
            program,
            list(options or ["-i"]),
            cwd=str(folder),
            env=bare_environment(TERM="xterm", LANG="C.UTF-8", **environment),
            encoding="utf-8",
            codec_errors="replace",
            dimensions=(40, _WIDTH),
            timeout=_TIMEOUT,
        )
        self._shell.logfile_read = self._seen
        # In two halves, so that what is typed is not taken for the prompt that it leads to.
        self._shell.sendline(f"PATH={programs}:$PATH; PS1='rea''dy$ '")
        self._shell.expect_exact(_PROMPT)
        self._seen.clear()

    def __enter__(self) -> "Shell":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the terminal: what runs in it hears SIGHUP, then SIGKILL."""
        self._shell.close(force=True)

    def types(self, line: str) -> None:
        self._shell.sendline(line)

    def presses(self, keys: str) -> None:
        """Type without a return at the end."""
        self._shell.send(keys)

    def ctrl_c(self) -> None:
        self._shell.sendintr()

    def sees(self, pattern: str) -> str:
        """Wait until it shows this; what was found."""
        self._shell.expect(pattern)
        return str(self._shell.match.group())

    def ends(self) -> str:
        """Wait until the command has ended; what it showed since the last look, as text."""
        self._shell.expect_exact(_PROMPT)
        return as_text(self._shell.before)

    def runs(self, line: str) -> str:
        """Type a command and wait for its end; what it showed."""
        self.types(line)
        return self.ends().partition("\n")[2]

    def status(self) -> int:
        """The exit status of the command that ran last."""
        return int(self.runs("echo $?"))

    def transcript(self) -> str:
        return as_text("".join(self._seen.parts)).replace(_PROMPT.strip(), "$")


class _Seen:
    """What pexpect takes for a file."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> None:
        self.parts.append(text)

    def flush(self) -> None:
        """Kept at once."""

    def clear(self) -> None:
        self.parts.clear()


def as_text(shown: str) -> str:
    """Without colours and cursor movements; each drawing of a line on a line of its own."""
    text = _CODES.sub("", _DRAWN_OVER.sub("\n", shown))
    lines = [line.rstrip() for line in text.replace("\r", "\n").split("\n")]
    # A bar is drawn again without a change, and empty where it is drawn over.
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line != before]
    return "\n".join(line for line in kept if line)
