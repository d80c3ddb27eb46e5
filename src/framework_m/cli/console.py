"""What commands print, and how they end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

T = TypeVar("T")

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """The command was called wrongly: exit status 2 and one line."""


class CommandFailedError(Exception):
    """The command could not do its work: exit status 1 and one line."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, on uvloop where it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """On stderr; where nobody can be told any more, the exit status says what it says."""
    try:
        sys.stderr.write(f"m: {line}\n")
        sys.stderr.flush()
    except OSError:
        say_no_more(sys.stderr)


def say_no_more(stream: TextIO) -> None:
    """Let what is still unsaid get lost: Python's own last flush would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say_json(value: Any) -> None:
    say(json.dumps(value, indent=2, ensure_ascii=not _takes_every_sign()))


def say_json_line(value: Any) -> None:
    """One of many values, on a line of its own."""
    say(json.dumps(value, ensure_ascii=not _takes_every_sign()))


def _takes_every_sign() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")


def is_terminal() -> bool:
    """Whether stdout is one, and one that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def printable(text: str) -> str:
    """Text from anywhere on one line, with nothing in it that a terminal would obey."""
    return "".join(sign if sign.isprintable() else _spelled(sign) for sign in text)


def _spelled(sign: str) -> str:
    return " " if sign.isspace() else sign.encode("unicode_escape").decode()


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as they need to be."""
    for line in table_lines(headings, rows):
        say(line)


def table_lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The same, to put something between; the headings are the first line."""
    lines = [tuple(headings), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def log_to_stderr() -> None:
    """One line per event; the noise of libraries that say what we say better is left out."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # A failing job is one line of ours; its traceback is in its record.
    logging.getLogger("taskiq.receiver").setLevel(logging.CRITICAL)
