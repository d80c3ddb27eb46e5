"""Framework M: documents, jobs, events, webhooks and realtime that survive whatever dies.

Owns: the public names, imported when first used.
May import: nothing at import time.
Must not touch: adapters; they are chosen in bootstrap.
Invariants: `import framework_m` loads no vendor library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import Field

    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.errors import FrameworkMError
    from framework_m.core.jobs.context import JobContext
    from framework_m.core.jobs.control import Cancel, Discard, Retry, Snooze
    from framework_m.core.jobs.decorator import job
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.retry import Backoff
    from framework_m.core.jobs.states import JobStatus
    from framework_m.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "Backoff",
    "Cancel",
    "Discard",
    "Field",
    "FrameworkM",
    "FrameworkMError",
    "JobContext",
    "JobHandle",
    "JobLog",
    "JobStatus",
    "Retry",
    "Settings",
    "Snooze",
    "job",
]

_HOMES = {
    "Backoff": "framework_m.core.jobs.retry",
    "Cancel": "framework_m.core.jobs.control",
    "Discard": "framework_m.core.jobs.control",
    "Field": "pydantic",
    "FrameworkM": "framework_m.app",
    "FrameworkMError": "framework_m.core.errors",
    "JobContext": "framework_m.core.jobs.context",
    "JobHandle": "framework_m.core.jobs.handle",
    "JobLog": "framework_m.core.doctypes.job_log",
    "JobStatus": "framework_m.core.jobs.states",
    "Retry": "framework_m.core.jobs.control",
    "Settings": "framework_m.settings",
    "Snooze": "framework_m.core.jobs.control",
    "job": "framework_m.core.jobs.decorator",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
