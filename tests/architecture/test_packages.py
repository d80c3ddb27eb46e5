"""Rooms announce themselves, modules stay small, and names use the project's words."""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from tests.architecture.source import (
    PACKAGE,
    ROOT,
    Name,
    body_lines,
    functions,
    lines,
    modules,
    names,
)

HEADINGS = ("Owns", "May import", "Must not touch", "Invariants")

LONGEST_MODULE = 400
LONGEST_TEST_MODULE = 600
MEDIAN_MODULE = 120
LONGEST_FUNCTION = 60
LONG_FUNCTION = 30
LONG_FUNCTIONS_SHARE = 0.05
MEDIAN_FUNCTION = 10

BANNED = {"task", "kick", "kiq", "manager", "helper", "util", "utility", "misc"}
SPECIFIED = {"ConnectionManager"}
# What users of taskiq write goes on working, in one place.
FOR_USERS_OF_TASKIQ = Name("kiq", PACKAGE / "core" / "jobs" / "function.py", 0)
# taskiq's own words are fair where taskiq is subclassed.
TASKIQ_ROOMS = (PACKAGE / "adapters" / "jobs", PACKAGE / "adapters" / "scheduling")

packages = sorted({module.parent for module in modules(PACKAGE)})


@pytest.mark.parametrize("package", packages, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_package_says_what_it_owns(package: Path) -> None:
    announcement = package / "__init__.py"
    assert announcement.exists(), f"{package} has modules and no __init__.py"
    docstring = ast.get_docstring(ast.parse(announcement.read_text())) or ""
    missing = [h for h in HEADINGS if not re.search(rf"^{h}: \S", docstring, re.MULTILINE)]
    assert not missing


def test_modules_are_short() -> None:
    assert {m: n for m in modules(PACKAGE) if (n := lines(m)) > LONGEST_MODULE} == {}
    sizes = [lines(m) for m in modules(PACKAGE) if m.name != "__init__.py"]
    assert median(sizes) < MEDIAN_MODULE


def test_test_modules_are_short() -> None:
    tests = modules(ROOT / "tests")
    assert {m: n for m in tests if (n := lines(m)) > LONGEST_TEST_MODULE} == {}


def test_functions_are_short() -> None:
    sizes = {
        f"{m.relative_to(ROOT)}:{f.lineno} {f.name}": body_lines(f)
        for m in modules(PACKAGE)
        for f in functions(m)
    }
    assert {name: n for name, n in sizes.items() if n > LONGEST_FUNCTION} == {}
    assert median(sizes.values()) < MEDIAN_FUNCTION
    long = {name: n for name, n in sizes.items() if n > LONG_FUNCTION}
    assert len(long) <= LONG_FUNCTIONS_SHARE * len(sizes), long


def test_names_use_our_words() -> None:
    everywhere = [name for module in modules(PACKAGE) for name in names(module)]
    assert [str(name) for name in everywhere if is_banned(name)] == []


@pytest.mark.parametrize(
    "text", ["task_name", "run_tasks", "TaskRunner", "HTTPHelper", "utils", "QueueManager", "kiq"]
)
def test_a_banned_word_is_found_in_any_spelling(text: str) -> None:
    assert is_banned(Name(text, PACKAGE / "app.py", 1))


@pytest.mark.parametrize("text", ["TaskiqJobQueueAdapter", "multitasking", "ConnectionManager"])
def test_a_word_that_only_contains_a_banned_one_is_fair(text: str) -> None:
    assert not is_banned(Name(text, PACKAGE / "app.py", 1))


def test_what_taskiq_names_is_fair_only_where_taskiq_is_subclassed() -> None:
    assert not is_banned(Name("kick", TASKIQ_ROOMS[0] / "broker.py", 1))
    assert is_banned(Name("kick", PACKAGE / "app.py", 1))


def is_banned(name: Name) -> bool:
    if name.text in SPECIFIED or not words(name.text) & BANNED:
        return False
    if (name.text, name.module) == (FOR_USERS_OF_TASKIQ.text, FOR_USERS_OF_TASKIQ.module):
        return False
    in_taskiq_room = any(room in name.module.parents for room in TASKIQ_ROOMS)
    return not (in_taskiq_room and name.text in names_in_taskiq())


def words(name: str) -> set[str]:
    """`HTTPTask_kicks` -> http, task, kick: any case, singular."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    lower = {word.lower() for word in found}
    return lower | {word.removesuffix("s") for word in lower}


@cache
def names_in_taskiq() -> frozenset[str]:
    package = importlib.util.find_spec("taskiq")
    assert package is not None
    assert package.origin is not None
    return frozenset(
        name.text for module in modules(Path(package.origin).parent) for name in names(module)
    )
