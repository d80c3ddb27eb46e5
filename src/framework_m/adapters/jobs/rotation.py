"""Taking turns among queues."""

from __future__ import annotations


class Rotation:
    """The queues in another order each time, so that a full one does not starve the others."""

    def __init__(self) -> None:
        self._turns = 0

    def next(self, queues: tuple[str, ...]) -> tuple[str, ...]:
        self._turns += 1
        first = self._turns % len(queues)
        return queues[first:] + queues[:first]
