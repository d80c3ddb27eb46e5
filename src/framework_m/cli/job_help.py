"""m job:run NAME --help: the job's own options."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from framework_m.cli.console import say
from framework_m.cli.job_arguments import option_of
from framework_m.cli.job_types import is_flag, shown_type, takes_many

if TYPE_CHECKING:
    from framework_m.core.jobs.registry import RegisteredJob

_LONGEST_DEFAULT = 60


def say_help(job: RegisteredJob) -> None:
    """Its parameters with types and defaults, and what its docstring says."""
    say(f"Usage: m job:run {_usage(job)} [options of the run]")
    documented = inspect.getdoc(job.function.function)
    if documented:
        say(f"\n{documented}")
    rows = [_row(job, name) for name in job.arguments.names]
    if rows:
        say("\nArguments:")
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        for option, hint, default in rows:
            say(f"  {option:<{widths[0]}}  {hint:<{widths[1]}}  {default}".rstrip())
    retries = f"{job.max_attempts} attempts" if job.max_attempts > 1 else "one attempt"
    say(f"\nQueue {job.queue}, {retries}, timeout {job.timeout:g} s. {job.function.place}")
    say("The options of the run, such as --wait: m job:run --help")


def _usage(job: RegisteredJob) -> str:
    needed = [
        f"{option_of(name)} …" for name in job.arguments.names if _default(job, name) == "required"
    ]
    return " ".join([job.name, *needed])


def _row(job: RegisteredJob, name: str) -> tuple[str, str, str]:
    hint, option = job.arguments.hint(name), option_of(name)
    if is_flag(hint):
        option += f", --no-{option[2:]}"
    repeated = ", may be repeated" if takes_many(hint) else ""
    return option, shown_type(hint), _default(job, name) + repeated


def _default(job: RegisteredJob, name: str) -> str:
    default = job.arguments.default(name)
    if default is inspect.Parameter.empty:
        return "required"
    shown = repr(default)
    if len(shown) > _LONGEST_DEFAULT:
        shown = f"{shown[:_LONGEST_DEFAULT]}…"
    return f"default: {shown}"
