"""docs/taskiq.md is executed, too."""

import sys
from pathlib import Path

from tests.docs.test_docs import ROOT, blocks, run, write_files

PAGE = ROOT / "docs" / "taskiq.md"


def test_the_page_on_taskiq_runs_as_shown(tmp_path: Path) -> None:
    *_, program = write_files(PAGE, tmp_path)
    shown = run([sys.executable, str(program)], tmp_path)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[:2] == ["from post@example.org to ada@example.org", "dear "]
    assert lines[2].startswith("True job ")
    assert lines[2].endswith("rejected by its function")
    assert lines[3:] == [
        "length",
        "['forward', 'post.tasks:shorten', 'send_mail']",
        "from post@example.org to bob@example.org",
        "4 have ended",
    ]


def test_taskiqs_command_runs_as_shown(tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    [shell] = blocks(PAGE, "console")
    commands = "\n".join(line.removeprefix("$ ") for line in shell.splitlines())
    shown = run(["sh", "-ec", f"trap 'kill $!; wait $!' EXIT\n{commands}"], tmp_path)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert '"from post@example.org to cyd@example.org"' in shown.stdout
