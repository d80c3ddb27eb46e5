"""Why a job does not begin, for who waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework_m.app import FrameworkM


async def hint(app: FrameworkM, queue: str) -> str | None:
    """What keeps the jobs of this queue from beginning, and what to do; None if nothing does.

    app: open.
    """
    found = await app.queues.get(queue)
    if found is not None and found.paused:
        return f"the queue {queue} is paused: open it with `m queue:resume {queue}`"
    if not await app.workers.listening_to(queue):
        return f"no worker listens to the queue {queue}: start one with `m worker`"
    return None
