"""m completion: commands, options and job names, completed by the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from framework_m.cli.console import DONE, CommandFailedError, UsageError, say
from framework_m.cli.loading import load

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.completion import CompletionContext

Shell = Literal["bash", "zsh", "fish"]

# Bash ends words at colons, which our commands are written with. It asks the shell, not the
# command: from here on a colon is a letter of a word for all that is completed.
_BASH_COLONS = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}\n"


def completion(
    shell: Annotated[Shell | None, Parameter(help="By default the one in use.")] = None,
    /,
    *,
    install: Annotated[
        bool, Parameter(negative=(), help="Write it to where the shell finds it.")
    ] = False,
) -> int:
    """Print a script that completes this command's words in a shell."""
    from framework_m.cli.main import build  # noqa: PLC0415 - it imports this module

    chosen = shell or _in_use()
    script = script_for(build(), chosen)
    if not install:
        say(script)
        return DONE
    say(_installed(script, chosen))
    return DONE


def script_for(app: App, shell: Shell) -> str:
    """The whole script, as text."""
    script = app.generate_completion(prog_name="m", shell=shell)
    return _BASH_COLONS + script if shell == "bash" else script


def job_names(_: CompletionContext) -> list[str]:
    """The names of the application's jobs, for completion; what fails there is not shown."""
    return [job.name for job in load(None).registry]


def _in_use() -> Shell:
    from cyclopts.completion import detect_shell  # noqa: PLC0415 - seldom wanted
    from cyclopts.completion.detect import ShellDetectionError  # noqa: PLC0415 - as above

    try:
        found = detect_shell()
    except ShellDetectionError as error:
        raise UsageError("which shell? m completion bash, zsh or fish") from error
    if found not in ("bash", "zsh", "fish"):
        raise UsageError(f"there is no completion for {found}: bash, zsh and fish have it")
    return found


def _installed(script: str, shell: Shell) -> str:
    from cyclopts.completion.install import (  # noqa: PLC0415 - as above
        add_to_rc_file,
        get_default_completion_path,
    )

    try:
        path = get_default_completion_path(shell, "m")
        path.write_text(script)
        if shell != "fish":  # which looks there by itself
            add_to_rc_file(path, "m", shell)
    except OSError as error:
        raise CommandFailedError(f"the completion cannot be written: {error}") from error
    return f"{path} is written; it counts in the next shell"
