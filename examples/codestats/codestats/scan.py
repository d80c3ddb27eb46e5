"""Counting: functions from source files to numbers, which know nothing of the framework."""

import ast
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LARGEST = 10
UNPARSABLE_SHOWN = 5
LONGEST_SOURCE = 4 * 1024 * 1024
"""Bytes. A syntax tree can take 600 times the memory of its source."""

_warning_filters = threading.Lock()


@dataclass(frozen=True)
class ModuleSize:
    """One file and how long it is."""

    module: str
    lines: int


@dataclass(frozen=True)
class Counts:
    """What some files hold together; counts of parts add up to the count of the whole.

    `lines` are those of the files that could be parsed; `blank` and `comments` are among them.
    """

    files: int = 0
    lines: int = 0
    blank: int = 0
    comments: int = 0
    functions: int = 0
    classes: int = 0
    unparsable: int = 0
    unparsable_modules: Sequence[str] = ()
    largest: Sequence[ModuleSize] = ()

    def __add__(self, other: "Counts") -> "Counts":
        largest = sorted([*self.largest, *other.largest], key=lambda size: -size.lines)
        return Counts(
            self.files + other.files,
            self.lines + other.lines,
            self.blank + other.blank,
            self.comments + other.comments,
            self.functions + other.functions,
            self.classes + other.classes,
            self.unparsable + other.unparsable,
            [*self.unparsable_modules, *other.unparsable_modules][:UNPARSABLE_SHOWN],
            largest[:LARGEST],
        )


def source_root(path: str) -> Path:
    """The folder that `path` names. Raises ValueError, saying why, if it names none."""
    try:
        root = Path(path).resolve(strict=True)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except (OSError, RuntimeError) as error:  # before 3.13 a loop of links is a RuntimeError
        raise ValueError(f"{path} cannot be opened: {error}") from error
    if not root.is_dir():
        raise ValueError(f"{path} is not a folder")
    return root


def source_files(
    root: Path, on_unreadable: Callable[[OSError], object] | None = None
) -> Iterator[Path]:
    """Every Python file below, in a stable order. Follows no links, so that none leads in circles.

    Folders that cannot be read are told to `on_unreadable` and passed over.
    """
    for folder, folders, files in os.walk(root, onerror=on_unreadable):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if name.endswith(".py") and _is_file(path):
                yield path


def _is_file(path: Path) -> bool:
    """Not a pipe, which nobody may ever write to, nor a link to nowhere."""
    try:
        return path.is_file()
    except OSError:
        return True  # reading it says why not


def count_files(paths: Iterable[Path], root: Path) -> Counts:
    """The counts of these files together."""
    total = Counts()
    for path in paths:
        total += count_file(path, shown(path.relative_to(root)))
    return total


def count_file(path: Path, module: str) -> Counts:
    """One file. A file that cannot be read or parsed is counted as that, and never an error."""
    try:
        source = _read(path)
        found = [type(node) for node in ast.walk(_parsed(source))]
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return Counts(files=1, unparsable=1, unparsable_modules=[module])
    lines = [line.strip() for line in source.splitlines()]
    return Counts(
        files=1,
        lines=len(lines),
        blank=lines.count(b""),
        comments=sum(line.startswith(b"#") for line in lines),
        functions=found.count(ast.FunctionDef) + found.count(ast.AsyncFunctionDef),
        classes=found.count(ast.ClassDef),
        largest=[ModuleSize(module, len(lines))],
    )


def shown(path: Path) -> str:
    """The path as text that JSON can hold: a file's name need not be UTF-8."""
    return os.fsencode(path).decode(errors="replace")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        source = file.read(LONGEST_SOURCE + 1)
    if len(source) > LONGEST_SOURCE:
        raise ValueError("too long to parse")
    return source


def _parsed(source: bytes) -> ast.AST:
    # Old code warns of its escapes. Filters belong to the whole process: without the lock, scans
    # in two threads would leave each other's behind.
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)
