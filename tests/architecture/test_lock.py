"""The lock is of this pyproject: checked without a network, where `uv lock --check` needs one."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def name_and_bounds(requirement: str) -> tuple[str, str]:
    """`SQLAlchemy[asyncio]>=2.1,<2.2; marker` -> (sqlalchemy, <2.2,>=2.1)"""
    name, _, bounds = re.fullmatch(r"([\w.-]+)(\[.*?\])?([^;]*).*", requirement).groups()  # type: ignore[union-attr]
    return name.lower(), ",".join(sorted(bounds.strip().split(",")))


def locked(requirements: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {name_and_bounds(r["name"] + r.get("specifier", "")) for r in requirements}


def test_the_lock_is_of_this_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    metadata = next(p for p in packages if p["name"] == "framework-m")["metadata"]

    run_time = project["project"]["dependencies"]
    extras = [r for rs in project["project"]["optional-dependencies"].values() for r in rs]
    development = project["dependency-groups"]["dev"]

    hint = "run `make lock`"
    assert {name_and_bounds(r) for r in run_time + extras} == locked(metadata["requires-dist"]), (
        hint
    )
    assert {name_and_bounds(r) for r in development} == locked(metadata["requires-dev"]["dev"]), (
        hint
    )
