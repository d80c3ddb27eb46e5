"""Counting: pure functions from source files to numbers."""

import ast
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LARGEST = 10
UNPARSABLE_SHOWN = 5


@dataclass(frozen=True)
class Module:
    """One file and how long it is."""

    path: str
    lines: int


@dataclass(frozen=True)
class Counts:
    """What some files hold together; counts of parts add up to the count of the whole."""

    files: int = 0
    lines: int = 0
    functions: int = 0
    classes: int = 0
    unparsable: int = 0
    unparsable_paths: Sequence[str] = ()
    largest: Sequence[Module] = ()

    def __add__(self, other: "Counts") -> "Counts":
        largest = sorted([*self.largest, *other.largest], key=lambda module: -module.lines)
        return Counts(
            self.files + other.files,
            self.lines + other.lines,
            self.functions + other.functions,
            self.classes + other.classes,
            self.unparsable + other.unparsable,
            [*self.unparsable_paths, *other.unparsable_paths][:UNPARSABLE_SHOWN],
            largest[:LARGEST],
        )


def source_files(root: Path) -> Iterator[Path]:
    """Every Python file below, in a stable order. Follows no links, so that none leads in circles.

    Raises ValueError if there is no such folder.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder")
    for folder, folders, files in os.walk(root):  # skips what it may not read
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if name.endswith(".py") and path.is_file():
                yield path


def count_files(paths: Iterable[Path], root: Path) -> Counts:
    """The counts of these files together."""
    total = Counts()
    for path in paths:
        total += count_file(path, str(path.relative_to(root)))
    return total


def count_file(path: Path, shown_as: str) -> Counts:
    """One file. A file that cannot be read or parsed is counted as that, and never an error."""
    try:
        source = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old code warns of its escapes
            tree = ast.parse(source)
            found = [type(node) for node in ast.walk(tree)]
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return Counts(files=1, unparsable=1, unparsable_paths=[shown_as])
    lines = len(source.splitlines())
    return Counts(
        files=1,
        lines=lines,
        functions=found.count(ast.FunctionDef) + found.count(ast.AsyncFunctionDef),
        classes=found.count(ast.ClassDef),
        largest=[Module(shown_as, lines)],
    )
