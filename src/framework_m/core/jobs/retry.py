"""When a failed job is tried again."""

from __future__ import annotations

import random
from datetime import timedelta

FIRST_WAIT = 1.0
LONGEST_WAIT = 600.0


def backoff(attempt: int) -> timedelta:
    """The wait after the failure of `attempt` (from 1): exponential, with full jitter.

    A random time up to 1, 2, 4 … s, at most ten minutes, so that jobs that failed together do
    not return together. After M. Brooker, "Exponential Backoff And Jitter", AWS, 2015.
    """
    ceiling = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempt - 1, 30))
    return timedelta(seconds=random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret
