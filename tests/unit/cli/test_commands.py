"""What holds for every command."""

import inspect
from typing import Any

import pytest
from cyclopts import App

from framework_m.cli.main import build, main

WITHOUT_JSON = {
    "dev": "serves until it is stopped; what it says is for a person",
    "web": "the same",
    "worker": "the same; its log has a format of its own",
    "completion": "prints a script for a shell",
}


def commands() -> dict[str, App]:
    app = build()
    return {name: app[name] for name in app if not name.startswith("-")}


def options(command: App) -> set[str]:
    return {name for argument in command.assemble_argument_collection() for name in argument.names}


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_command_that_prints_something_has_json(name: str) -> None:
    assert ("--json" in options(commands()[name])) != (name in WITHOUT_JSON)


def test_the_exceptions_are_commands() -> None:
    assert WITHOUT_JSON.keys() <= commands().keys()


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_command_and_its_options_explain_themselves(name: str) -> None:
    command = commands()[name]
    function: Any = command.default_command
    assert inspect.getdoc(function)
    assert [
        argument.name
        for argument in command.assemble_argument_collection()
        if not argument.parameter.help and argument.show
    ] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["job:rnu"], 'Did you mean "job:run"?'),
        (["job:list", "--jsn"], "Did you mean --json?"),
        (["job:run"], "which job?"),
        (["job:run", "--json"], "which job?"),
        (["job:status"], "requires an argument"),
        (["job:status", "x", "--follow"], "'x' is not a job's id"),
        (["completion", "tcsh"], '"bash", "zsh", "fish"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_and_status_2(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err
    assert said.err.count("\n") == 1


def test_the_help_of_job_run_is_about_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job:run", "--help"]) == 0
    shown = capsys.readouterr().out
    for option in ("--delay", "--queue", "--priority", "--tag", "--unique-key", "--wait"):
        assert option in shown
