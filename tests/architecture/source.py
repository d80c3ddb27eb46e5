"""Reads the project's source for the tests in this folder."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "framework_m"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Name:
    """A name that some module gives to something."""

    text: str
    module: Path
    line: int

    def __str__(self) -> str:
        return f"{self.module.relative_to(ROOT)}:{self.line}: {self.text}"


def modules(folder: Path) -> list[Path]:
    """All modules below the folder."""
    return sorted(folder.rglob("*.py"))


def lines(module: Path) -> int:
    return len(module.read_text().splitlines())


def functions(module: Path) -> Iterator[FunctionNode]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, FunctionNode):
            yield node


def body_lines(function: FunctionNode) -> int:
    """The lines of a function's statements: no decorators, signature or docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def names(module: Path) -> Iterator[Name]:
    """Every name that the module defines, and its own."""
    yield Name(module.stem, module, 1)
    for node in ast.walk(ast.parse(module.read_text())):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield Name(node.name, module, node.lineno)
            case ast.arg():
                yield Name(node.arg, module, node.lineno)
            case ast.Name(ctx=ast.Store()):
                yield Name(node.id, module, node.lineno)
            case ast.Attribute(ctx=ast.Store()):
                yield Name(node.attr, module, node.lineno)
            case ast.alias(asname=str(text)):
                yield Name(text, module, node.lineno)
