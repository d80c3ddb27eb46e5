"""Port: what carries jobs from whoever enqueues to a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.job_store import Claim, ClaimTerms, Dispatch


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed job, with whatever the queue needs to settle its message."""

    claim: Claim
    receipt: Any = None


class JobQueueProtocol(Protocol):
    """Carries jobs from whoever enqueues to a worker that has claimed them.

    Delivery: at least once. A message may arrive twice, late, or after its job has ended;
    the claim in the job store decides, never the message.
    Order: queue by queue as the terms of the claim list them; in each by priority, then roughly
    by time. No promise between workers.
    Raises: UnavailableError (retry later). Nothing else leaves an adapter.
    """

    needs_dispatch: bool
    """False where the committed row itself is the message, so that no relay is needed."""

    async def start(self) -> None:
        """Connect. Idempotent."""

    async def close(self) -> None:
        """Disconnect. Jobs that were dispatched stay dispatched."""

    async def dispatch(self, jobs: Sequence[Dispatch]) -> None:
        """Hand over committed jobs. Returns when the queue has them; twice is harmless.

        One with a due time is delivered when that has come: stored, not slept (invariant 7).
        """

    async def claim(self, terms: ClaimTerms, limit: int) -> Sequence[Delivery]:
        """Claim up to `limit` jobs, waiting for some to come.

        Returns empty-handed now and then, so that the caller can look around. Never cancel it:
        a claim that was committed and not returned waits for its lease to lapse; call
        `interrupt()` instead.
        """

    def interrupt(self) -> None:
        """Let every waiting `claim` return at once."""

    async def leave(self, terms: ClaimTerms) -> None:
        """This worker claims no more: what was on its way to it is offered to others."""

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """These are settled: their outcome is committed (invariant 4)."""

    def forget(self, delivery: Delivery) -> None:
        """Its claim was lost: the message is its successor's, and is left as it is."""

    async def idle_queues(self, queues: Sequence[str]) -> Sequence[str]:
        """Those of these queues that hold no message, neither waiting nor in work."""

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """These were released unrun: offer them again at once, to anybody."""
