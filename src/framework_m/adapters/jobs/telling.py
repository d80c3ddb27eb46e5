"""The line that a worker logs of each run: what came of it, never its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.core import clock
from framework_m.core.jobs.states import WAITING

if TYPE_CHECKING:
    from framework_m.core.interfaces.job_store import Claim, FinishedRun

_LONGEST = 200
"""Characters of an error: all of it is in the job's record."""


def outcome_line(claim: Claim, outcome: FinishedRun, seconds: float) -> str:
    """As in "build_report 0197…: Retrying in 1.20 s, attempt 1/4, again in 2 s: OSError: gone"."""
    said = [f"{claim.job_name} {claim.job_id}: {outcome.status} in {seconds:.2f} s"]
    if claim.attempt > 1 or outcome.status in WAITING:
        said.append(f"attempt {claim.attempt}/{claim.max_attempts}")
    if outcome.retry_after is not None:
        wait = outcome.retry_after.total_seconds()
        at = (clock.now() + outcome.retry_after).astimezone()
        said.append(f"again in {wait:.{int(wait < 10)}f} s, at {at:%H:%M:%S}")
    told = ", ".join(said)
    return f"{told}: {_brief(outcome.error)}" if outcome.error else told


def _brief(error: str) -> str:
    line = " ".join(error.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
