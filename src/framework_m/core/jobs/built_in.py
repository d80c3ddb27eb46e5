"""The job functions of the framework's own: every application has them.

Their names begin with `framework_m.`, and no event tells that they have ended (invariant 15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework_m.core.context import services_of
from framework_m.core.jobs.context import JobContext
from framework_m.core.jobs.decorator import job
from framework_m.core.jobs.keeping import KeepDays
from framework_m.core.jobs.names import RESERVED_PREFIX
from framework_m.core.jobs.priority import Priority
from framework_m.core.jobs.states import JobStatus
from framework_m.core.jobs.unique import Unique

if TYPE_CHECKING:
    from framework_m.core.jobs.function import JobFunction
    from framework_m.core.jobs.retention import Pruned

_A_DAY = 24 * 3600


@job(
    name=f"{RESERVED_PREFIX}prune_jobs",
    priority=Priority.BULK,
    timeout=_A_DAY,  # the first time there may be millions
    unique=Unique(by=()),
    http=True,
)
async def prune_jobs(
    ctx: JobContext,
    success_days: KeepDays | None = None,
    failed_days: KeepDays | None = None,
    cancelled_days: KeepDays | None = None,
) -> dict[str, int]:
    """Remove the records of jobs that ended long ago, and forget old requests; how many of each.

    Days that are given count for this run instead of the settings'.
    """
    given = {
        JobStatus.SUCCESS: success_days,
        JobStatus.FAILED: failed_days,
        JobStatus.CANCELLED: cancelled_days,
    }

    def tell(pruned: Pruned) -> None:
        ctx.check_cancelled()
        ctx.progress(pruned.share, total=1, message=str(pruned))

    keep = {status: days for status, days in given.items() if days is not None}
    pruned = await services_of(ctx).retention.prune(keep, tell=tell)
    return pruned.removed


BUILT_IN: tuple[JobFunction[..., Any], ...] = (prune_jobs,)
