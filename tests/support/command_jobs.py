"""The job of the example `commands`, with less time."""

from commands.jobs import CommandResult, run_command

from framework_m import JobContext, job


@job(timeout=0.5, retries=0)
async def short_command(ctx: JobContext, argv: list[str]) -> CommandResult:
    found: CommandResult = await run_command(ctx, argv)
    return found
