"""The rooms, and who may enter: import-linter's contracts hold, and each of them can fail."""

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Planted:
    """An import that a contract has to catch."""

    contract: str
    module: str
    line: str


PLANTED = [
    Planted("layers", "core.planted", "import framework_m.app"),
    Planted("layers", "core.planted", "def late():\n    from framework_m.adapters import db"),
    Planted("layers", "settings", "import framework_m.adapters.db"),
    Planted("layers", "adapters.db.planted", "import framework_m.settings"),
    Planted("layers", "adapters.web.planted", "import framework_m.bootstrap"),
    Planted("layers", "bootstrap.planted", "import framework_m.app"),
    Planted("layers", "adapters.web.planted", "import framework_m.webhooks"),
    Planted("layers", "app", "import framework_m.cli"),
    Planted("adapters", "adapters.web.planted", "import framework_m.adapters.jobs"),
    Planted("adapters", "adapters.db.planted", "import framework_m.adapters.jobs"),
    Planted("adapters", "adapters.brand_new.planted", ""),
    Planted("pure-core", "core.planted", "import sqlalchemy.orm"),
    Planted("pure-core", "core.planted", "from httpx import AsyncClient"),
    Planted("pure-core", "core.planted", "import cryptography.fernet"),
    Planted("nats-rooms", "adapters.web.planted", "import nats.js"),
    Planted("nats-rooms", "cli.planted", "import taskiq_nats"),
    Planted("taskiq-rooms", "adapters.events.planted", "from taskiq import AsyncBroker"),
    Planted("litestar-rooms", "cli.planted", "import litestar"),
    Planted("metrics-rooms", "adapters.jobs.planted", "from prometheus_client import Counter"),
    Planted("database-rooms", "adapters.jobs.planted", "import sqlalchemy"),
    Planted("database-rooms", "bootstrap.planted", "import asyncpg"),
    Planted("http-client-rooms", "adapters.web.planted", "import aiohttp"),
    Planted("http-client-rooms", "cli.planted", "import httpx"),
    Planted("token-rooms", "adapters.web.planted", "import jwt"),
    Planted("command-line-rooms", "app", "import uvicorn"),
    Planted("settings-rooms", "app", "import pydantic_settings"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(tree: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo", *options],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def plant(tree: Path, planted: Planted) -> None:
    *rooms, name = planted.module.split(".")
    folder = tree / "src" / "framework_m"
    for room in rooms:
        folder /= room
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
    with (folder / f"{name}.py").open("a") as module:
        module.write(f"\n{planted.line}\n")


def test_the_tree_keeps_all_rules() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: f"{p.contract}:{p.module}:{p.line[:40]}")
def test_a_planted_import_breaks_its_rule(tree: Path, planted: Planted) -> None:
    plant(tree, planted)
    result = lint(tree, "--contract", planted.contract)
    assert "0 kept, 1 broken" in result.stdout, result.stdout + result.stderr
    assert result.returncode == 1


def test_imports_for_the_type_checker_alone_are_free(tree: Path) -> None:
    line = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import framework_m.app"
    plant(tree, Planted("layers", "core.planted", line))
    assert lint(tree, "--contract", "layers").returncode == 0


def test_every_rule_has_been_seen_to_fail() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = configuration["tool"]["importlinter"]["contracts"]
    assert {contract["id"] for contract in contracts} == {planted.contract for planted in PLANTED}
