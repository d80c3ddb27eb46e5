"""The page on the command, run as shown."""

import json
from pathlib import Path

from framework_m.cli.main import build
from tests.docs.test_docs import ROOT, blocks, run, write_files

PAGE = ROOT / "docs" / "cli.md"


def test_the_page_on_the_command_runs_as_shown(tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    [shell] = blocks(PAGE, "console")
    commands = "\n".join(line.removeprefix("$ ") for line in shell.splitlines())
    shown = run(["sh", "-ec", commands], tmp_path)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Build the report of a month." in shown.stdout
    assert '{\n  "rows": 2\n}\n' in shown.stdout
    assert "100 % 2 rows" in shown.stderr
    assert "no worker listens to the queue default" in shown.stderr
    enqueued = shown.stdout[shown.stdout.rindex("{") :]
    assert json.loads(enqueued)["existed"] is False


def test_the_page_names_every_command() -> None:
    page = PAGE.read_text()
    commands = [name for name in build() if not name.startswith("-")]
    assert [name for name in commands if f"`m {name}" not in page] == []
