"""JobContext: what a running job knows of itself and may tell about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from framework_m.core.interfaces.job_store import ProgressReport
from framework_m.core.text import storable

if TYPE_CHECKING:
    from datetime import datetime

    from framework_m.core.interfaces.job_store import Claim


class ProgressSink(Protocol):
    """Takes progress; only the latest report of a run is kept."""

    def report(self, report: ProgressReport) -> None: ...


class JobContext:
    """Given to a job function whose first parameter is annotated with it."""

    __slots__ = ("_claim", "_sink")

    def __init__(self, claim: Claim, sink: ProgressSink) -> None:
        self._claim = claim
        self._sink = sink

    @property
    def job_id(self) -> str:
        """UUIDv7; the same in every attempt."""
        return self._claim.job_id

    @property
    def job_name(self) -> str:
        return self._claim.job_name

    @property
    def attempt(self) -> int:
        """1 on the first try."""
        return self._claim.attempt

    @property
    def max_attempts(self) -> int:
        return self._claim.max_attempts

    @property
    def enqueued_at(self) -> datetime:
        return self._claim.enqueued_at

    @property
    def started_at(self) -> datetime:
        """When this attempt was claimed."""
        return self._claim.started_at

    @property
    def user_id(self) -> str | None:
        """Who enqueued it; None for the system."""
        return self._claim.user_id

    async def progress(
        self, n: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Say how far the job is: `n` of `total`, or `n` percent without a total.

        Cheap enough for an inner loop: reports are coalesced and stored a few times a second.
        """
        percent = n if total is None else (100 * n / total if total else 100.0)
        bounded = min(100.0, max(0.0, float(percent)))
        told = None if message is None else storable(message)
        self._sink.report(ProgressReport(self.job_id, self._claim.claim_no, bounded, told))
