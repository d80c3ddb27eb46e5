"""The priorities of jobs."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """Which of a queue's jobs go first; those of one level in the order they are due."""

    URGENT = 1
    NORMAL = 2
    LOW = 3
    BULK = 4


def priority_of(value: object) -> Priority | None:
    """None if it is none."""
    if isinstance(value, int) and not isinstance(value, bool) and value in list(Priority):
        return Priority(value)
    return None
