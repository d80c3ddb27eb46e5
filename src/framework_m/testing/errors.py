"""What the kit raises."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from framework_m.core.errors import FrameworkMError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.doctypes.job_log import JobLog


class JobsFailedError(FrameworkMError, AssertionError):
    """Jobs that the kit ran went wrong. `jobs` are their records, as they stand."""

    def __init__(self, jobs: Sequence[JobLog]) -> None:
        super().__init__("\n".join(_told(job) for job in jobs))
        self.jobs = tuple(jobs)


def described(job: JobLog) -> str:
    """A job as the call that it is."""
    return f"{job.job_name}({', '.join(f'{name}={value!r}' for name, value in job.args.items())})"


def _told(job: JobLog) -> str:
    tries = f"attempt {job.attempt} of {job.max_attempts}"
    told = f"{described(job)} is {job.status} after {tries}: {job.error}"
    return f"{told}\n{textwrap.indent(job.traceback.rstrip(), '  ')}" if job.traceback else told
