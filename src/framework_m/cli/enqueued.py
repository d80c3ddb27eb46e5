"""What a command says of the job that it has asked for, and how it waits for its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from framework_m.cli.console import (
    DONE,
    CommandFailedError,
    UsageError,
    complain,
    say,
    say_json,
)
from framework_m.core.errors import UnavailableError

if TYPE_CHECKING:
    from framework_m.app import FrameworkM
    from framework_m.core.jobs.handle import JobHandle

_LONGEST_WAIT = 1e8  # three years; event loops do not count up to infinity


def check_timeout(timeout: float | None, *, wait: bool) -> None:
    """Raises UsageError: no time to wait, or nothing that would wait for it."""
    if timeout is not None and not wait:
        raise UsageError("--timeout says how long to --wait: use both")
    if timeout is not None and not timeout >= 0:
        raise UsageError("--timeout: must be 0 seconds or more")


async def tell(
    app: FrameworkM,
    handle: JobHandle[Any],
    *,
    wait: bool = False,
    timeout: float | None = None,
    as_json: bool = False,
) -> int:
    """Its id, and what keeps it from beginning; or with `wait`, its result."""
    if wait:
        return await _waited(app, handle, timeout)
    said = {"job_id": handle.job_id, "existed": handle.existed}
    say_json(said) if as_json else say(handle.job_id)
    await _hint(app, handle)
    return DONE


async def hint_at(app: FrameworkM, queue: str) -> None:
    """Say what keeps jobs of this queue from beginning; that it is not known is no failure."""
    from framework_m.cli.hints import hint  # noqa: PLC0415 - `m --help` does without

    try:
        found = await hint(app, queue)
    except UnavailableError:
        return
    if found is not None:
        complain(found)


async def _hint(app: FrameworkM, handle: JobHandle[Any]) -> None:
    """It is enqueued, whatever becomes of this question."""
    try:
        queue = (await handle.record()).queue
    except UnavailableError:
        return
    await hint_at(app, queue)


async def _waited(app: FrameworkM, handle: JobHandle[Any], timeout: float | None) -> int:
    from framework_m.cli.following import ended, watch  # noqa: PLC0415 - as above

    try:
        async with asyncio.timeout(None if timeout is None else min(timeout, _LONGEST_WAIT)):
            job = await watch(app, handle.job_id, lambda _: None)
    except TimeoutError as error:
        raise CommandFailedError(
            f"job {handle} has not ended after {timeout:g} s; it goes on: "
            f"m job:status {handle} --follow"
        ) from error
    except asyncio.CancelledError:
        complain(f"job {handle} goes on: m job:status {handle} --follow")
        raise
    status = ended(job)
    if status == DONE:
        say_json(job.result)
    return status
