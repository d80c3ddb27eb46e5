"""The page on the command, run as shown."""

import json
import sys
from pathlib import Path

from framework_m.cli.main import build
from tests.docs.test_docs import ROOT, blocks, run, write_files

PAGE = ROOT / "docs" / "cli.md"


def test_the_page_on_the_command_runs_as_shown(tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    shell, _ = blocks(PAGE, "console")
    commands = "\n".join(line.removeprefix("$ ") for line in shell.splitlines())
    shown = run(["sh", "-ec", commands], tmp_path)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Build the report of a month." in shown.stdout
    assert '{\n  "rows": 2\n}\n' in shown.stdout
    assert "100 % 2 rows" in shown.stderr
    assert "no worker listens to the queue default" in shown.stderr
    enqueued = shown.stdout[shown.stdout.rindex("{") :]
    assert json.loads(enqueued)["existed"] is False


ONE_AFTER_THE_OTHER = """
import shlex, sys
from framework_m.cli.main import main
for line in sys.argv[1].splitlines():
    status = main(shlex.split(line.removeprefix("$ m ")))
    if status:
        sys.exit(status)
"""


def test_the_commands_about_schedules_run_as_shown(tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    _, shell = blocks(PAGE, "console")
    [shown] = [it for it in blocks(PAGE, "text") if it.startswith("$ m schedule:save")]
    command, saved, runs, _ = shown.splitlines()
    (tmp_path / "pyproject.toml").write_text('[tool.framework_m]\napp = "shop.app:app"\n')
    commands = f"$ m migrate\n{shell.rstrip()}\n{command}"
    # In one process: each of their own takes a second of CPU.
    told = run([sys.executable, "-c", ONE_AFTER_THE_OTHER, commands], tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "every day at 02:30, Europe/Berlin\n  " in told.stdout
    assert "nightly  paused" in told.stdout
    assert "runs build_report every day at 03:30, Europe/Berlin\n" in told.stdout
    assert f"{saved}\n{runs}\n  next 20" in told.stdout
    assert "declared in code, and there once" in told.stderr


def test_the_page_names_every_command() -> None:
    page = PAGE.read_text()
    commands = [name for name in build() if not name.startswith("-")]
    assert [name for name in commands if f"`m {name}" not in page] == []
