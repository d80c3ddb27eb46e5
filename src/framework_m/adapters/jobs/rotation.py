"""Taking turns among queues."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.job_store import ClaimTerms
    from framework_m.core.jobs.queue_order import QueueOrder
    from framework_m.core.jobs.queue_states import QueueStates


class Turns:
    """The terms of one worker's claims: what is open now, in the order of this turn."""

    def __init__(self, terms: ClaimTerms, order: QueueOrder, states: QueueStates) -> None:
        self._terms = terms
        self._states = states
        self._rotation = Rotation(order)

    def next(self) -> ClaimTerms | None:
        """None while all of its queues are paused."""
        queues = self._states.open_among(self._terms.queues)
        return replace(self._terms, queues=self._rotation.next(queues)) if queues else None


class Rotation:
    """Queues in another order each time, so that a full one does not starve the others.

    Each is first as often as its weight says, in turns that are spread evenly (smooth weighted
    round robin); in a strict order it is always the same one.
    """

    def __init__(self, order: QueueOrder) -> None:
        self._weights = dict(order.weights)
        self._strict = order.strict
        self._credit = dict.fromkeys(self._weights, 0)

    def next(self, queues: Sequence[str]) -> tuple[str, ...]:
        """These of them, in the order of the next turn."""
        if self._strict:
            return tuple(queues)
        for queue in queues:
            self._credit[queue] += self._weights[queue]
        in_turn = sorted(queues, key=lambda queue: -self._credit[queue])
        self._credit[in_turn[0]] -= sum(self._weights[queue] for queue in queues)
        return tuple(in_turn)
