"""Names of job functions: which of them are the framework's own."""

from __future__ import annotations

RESERVED_PREFIX = "framework_m."


def is_reserved(job_name: str) -> bool:
    """Whether only a job function of the framework's own may have this name."""
    return job_name.startswith(RESERVED_PREFIX)
