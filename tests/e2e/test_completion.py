"""Completion, in a real shell."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework_m.cli.main import main
from tests.support.session import write_shop
from tests.support.shell import Shell

BASH = shutil.which("bash")


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Shell]:
    if BASH is None:
        pytest.skip("there is no bash on this machine")
    write_shop(tmp_path)
    with Shell(tmp_path, BASH, "--norc", "--noprofile", "-i") as shell:
        yield shell


def test_bash_completes_commands_options_and_jobs(bash: Shell) -> None:
    bash.runs("m completion bash > completion && source ./completion")
    assert bash.runs("complete -p m") == "complete -F _m m"
    for typed, completed in (
        ("m job:ru\t", "m job:run "),
        ("buil\t", "build_report "),
        ("--wa\t", "--wait "),
    ):
        bash.presses(typed)
        bash.sees(completed)
    bash.presses("\x15m queue:p\t")  # Ctrl-U, and another line
    bash.sees("m queue:pause ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out.replace("\\:", ":")
    for command in ("job:run", "job:status", "migrate:make", "worker", "completion"):
        assert command in script


@pytest.mark.parametrize(
    ("shell", "files"),
    [
        ("bash", {".bashrc", ".local/share/bash-completion/completions/m"}),
        ("zsh", {".zshrc", ".zsh/completions/_cyclopts_m"}),
        ("fish", {".config/fish/completions/m.fish"}),
    ],
)
def test_it_is_installed_where_the_shell_looks(
    shell: str, files: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("ZSH", "ZSH_CUSTOM"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["completion", shell, "--install"]) == 0
    once = {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    assert {str(file.relative_to(tmp_path)) for file in once} == files
    assert main(["completion", shell, "--install"]) == 0
    assert {file: file.read_text() for file in once} == once


def test_a_place_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert main(["completion", "bash", "--install"]) == 1
    assert "the completion cannot be written" in capsys.readouterr().err


def test_the_shell_in_use_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FISH_VERSION", "4")
    for other in ("ZSH_VERSION", "BASH_VERSION"):
        monkeypatch.delenv(other, raising=False)
    assert main(["completion"]) == 0
    assert capsys.readouterr().out.startswith("# Fish completion for m")
