"""m job:run --local: the function, called here and now."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from framework_m.cli.console import CommandFailedError, complain, printable
from framework_m.core.ids import uuid7
from framework_m.core.interfaces.job_store import Claim
from framework_m.core.jobs.cancellation import Cancellation
from framework_m.core.jobs.context import JobContext
from framework_m.core.jobs.run_log import RunLog

if TYPE_CHECKING:
    from framework_m.app import FrameworkM
    from framework_m.core.interfaces.job_store import LogLine, ProgressReport
    from framework_m.core.jobs.registry import RegisteredJob


class _Terminal:
    """Progress for the person who waits."""

    def report(self, report: ProgressReport) -> None:
        complain(f"{report.percent or 0:.0f} % {printable(report.message or '')}".rstrip())

    def say(self, line: LogLine) -> None:
        complain(printable(line.message))


async def run_here(app: FrameworkM, job: RegisteredJob, values: dict[str, Any]) -> Any:
    """What the function returns, as JSON has it. One attempt, no timeout, no record.

    In this process, whatever its executor: in a thread if it is a plain function.
    """
    async with app:
        return await _called(app, job, job.arguments.load(job.arguments.dump(values)))


async def _called(app: FrameworkM, job: RegisteredJob, arguments: dict[str, Any]) -> Any:
    claim, terminal = _claim(job), _Terminal()
    log = RunLog(claim, terminal, app.settings.job_log_lines)
    context = JobContext(claim, log, terminal, app.ports, Cancellation())
    own = {} if (name := job.arguments.context_parameter) is None else {name: context}
    function = job.function.function
    try:
        async with app.broker.injected(job, context, arguments) as given:
            given |= {**arguments, **own}
            if job.executor == "async":
                returned = await function(**given)
            else:
                returned = await asyncio.to_thread(function, **given)
        return json.loads(job.arguments.dump_result(returned) or "null")
    except (Exception, SystemExit) as error:
        raise CommandFailedError(f"{type(error).__name__}: {error}") from error


def _claim(job: RegisteredJob) -> Claim:
    now = datetime.now(UTC)
    return Claim(
        job_id=uuid7(),
        job_name=job.name,
        queue=job.queue,
        args="{}",
        attempt=1,
        max_attempts=1,
        claim_no=1,
        enqueued_at=now,
        started_at=now,
    )
