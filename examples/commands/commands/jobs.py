"""The job: run a program, and keep what it says as the job's log."""

import logging
import os
from dataclasses import dataclass

from commands.running import running
from framework_m import Discard, JobContext, job

ALLOWED = "COMMANDS_ALLOWED"
"""The variable that lists what may be run: names or paths, with `:` between them."""

_PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Of the worker's environment. The rest has its passwords in it."""


@dataclass(frozen=True)
class CommandResult:
    """How a program ended: with this exit code, or by the signal of that number if negative."""

    exit_code: int
    seconds: float
    output_bytes: int


@job(queue="commands", timeout=600, retries=0, http=True, roles=["Operator"])
async def run_command(ctx: JobContext, argv: list[str], cwd: str | None = None) -> CommandResult:
    """Run a program with arguments, in `cwd`. No shell: nothing in them means anything to one.

    Lines of stdout are INFO, those of stderr WARNING. When its time is over or it is cancelled,
    the program and all it started are ended: SIGTERM, three seconds, SIGKILL.
    """
    _refuse_unless_allowed(argv)
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    async with running(
        argv,
        cwd,
        environment,
        out=ctx.log,
        err=lambda line: ctx.log(line, logging.WARNING),
    ) as program:
        exit_code = await program.exit_code()
    return CommandResult(exit_code, round(program.seconds, 3), program.output_bytes)


def _refuse_unless_allowed(argv: list[str]) -> None:
    allowed = [name for name in os.environ.get(ALLOWED, "").split(":") if name]
    if not argv or argv[0] not in allowed:
        named = repr(argv[0]) if argv else "nothing"
        raise Discard(f"{named} may not be run: {ALLOWED} has {allowed or 'nothing in it'}")
