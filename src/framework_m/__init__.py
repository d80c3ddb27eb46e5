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

    from framework_m.adapters.web.plugin import FrameworkMPlugin
    from framework_m.app import FrameworkM
    from framework_m.core.doctypes.base import DocStatus, DocType
    from framework_m.core.doctypes.controller import Controller
    from framework_m.core.doctypes.fields import Link, Secret
    from framework_m.core.doctypes.job_log import JobAttempt, JobLog
    from framework_m.core.doctypes.queue import Queue, QueueInfo
    from framework_m.core.doctypes.scheduled_job import CatchUp, Overlap, ScheduledJob
    from framework_m.core.errors import (
        ConflictError,
        DocumentError,
        DuplicateError,
        ForbiddenError,
        FrameworkMError,
        InvalidDocumentError,
        InvalidEventError,
        LinkError,
        NotFoundError,
    )
    from framework_m.core.events.context import EventContext
    from framework_m.core.events.documents import (
        DocCancelled,
        DocCreated,
        DocDeleted,
        DocSubmitted,
        DocUpdated,
    )
    from framework_m.core.events.envelope import BaseEvent
    from framework_m.core.events.jobs import JobCancelled, JobFailed, JobSucceeded
    from framework_m.core.events.subscriptions import on
    from framework_m.core.identity import User, acting_as
    from framework_m.core.interfaces.filters import where
    from framework_m.core.interfaces.job_reading import JobCursor
    from framework_m.core.interfaces.repository import Page, Repository
    from framework_m.core.jobs.context import JobContext
    from framework_m.core.jobs.control import Cancel, Discard, Retry, Snooze
    from framework_m.core.jobs.decorator import job
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.limits import Concurrency, Rate
    from framework_m.core.jobs.priority import Priority
    from framework_m.core.jobs.queue_order import QueueOrder
    from framework_m.core.jobs.retry import Backoff
    from framework_m.core.jobs.states import JobStatus
    from framework_m.core.jobs.unique import Unique
    from framework_m.core.scheduling.declared import cron
    from framework_m.core.transaction import Transaction
    from framework_m.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "Backoff",
    "BaseEvent",
    "Cancel",
    "CatchUp",
    "Concurrency",
    "ConflictError",
    "Controller",
    "Discard",
    "DocCancelled",
    "DocCreated",
    "DocDeleted",
    "DocStatus",
    "DocSubmitted",
    "DocType",
    "DocUpdated",
    "DocumentError",
    "DuplicateError",
    "EventContext",
    "Field",
    "ForbiddenError",
    "FrameworkM",
    "FrameworkMError",
    "FrameworkMPlugin",
    "InvalidDocumentError",
    "InvalidEventError",
    "JobAttempt",
    "JobCancelled",
    "JobContext",
    "JobCursor",
    "JobFailed",
    "JobHandle",
    "JobLog",
    "JobStatus",
    "JobSucceeded",
    "Link",
    "LinkError",
    "NotFoundError",
    "Overlap",
    "Page",
    "Priority",
    "Queue",
    "QueueInfo",
    "QueueOrder",
    "Rate",
    "Repository",
    "Retry",
    "ScheduledJob",
    "Secret",
    "Settings",
    "Snooze",
    "Transaction",
    "Unique",
    "User",
    "acting_as",
    "cron",
    "job",
    "on",
    "where",
]

_HOMES = {
    "Backoff": "framework_m.core.jobs.retry",
    "BaseEvent": "framework_m.core.events.envelope",
    "Cancel": "framework_m.core.jobs.control",
    "CatchUp": "framework_m.core.doctypes.scheduled_job",
    "ConflictError": "framework_m.core.errors",
    "Concurrency": "framework_m.core.jobs.limits",
    "Controller": "framework_m.core.doctypes.controller",
    "Discard": "framework_m.core.jobs.control",
    "DocCancelled": "framework_m.core.events.documents",
    "DocCreated": "framework_m.core.events.documents",
    "DocDeleted": "framework_m.core.events.documents",
    "DocStatus": "framework_m.core.doctypes.base",
    "DocSubmitted": "framework_m.core.events.documents",
    "DocType": "framework_m.core.doctypes.base",
    "DocUpdated": "framework_m.core.events.documents",
    "DocumentError": "framework_m.core.errors",
    "DuplicateError": "framework_m.core.errors",
    "EventContext": "framework_m.core.events.context",
    "Field": "pydantic",
    "ForbiddenError": "framework_m.core.errors",
    "FrameworkM": "framework_m.app",
    "FrameworkMError": "framework_m.core.errors",
    "FrameworkMPlugin": "framework_m.adapters.web.plugin",
    "InvalidDocumentError": "framework_m.core.errors",
    "InvalidEventError": "framework_m.core.errors",
    "JobAttempt": "framework_m.core.doctypes.job_log",
    "JobCancelled": "framework_m.core.events.jobs",
    "JobContext": "framework_m.core.jobs.context",
    "JobCursor": "framework_m.core.interfaces.job_reading",
    "JobFailed": "framework_m.core.events.jobs",
    "JobHandle": "framework_m.core.jobs.handle",
    "JobLog": "framework_m.core.doctypes.job_log",
    "JobStatus": "framework_m.core.jobs.states",
    "JobSucceeded": "framework_m.core.events.jobs",
    "Link": "framework_m.core.doctypes.fields",
    "LinkError": "framework_m.core.errors",
    "NotFoundError": "framework_m.core.errors",
    "Overlap": "framework_m.core.doctypes.scheduled_job",
    "Page": "framework_m.core.interfaces.repository",
    "Priority": "framework_m.core.jobs.priority",
    "Queue": "framework_m.core.doctypes.queue",
    "QueueInfo": "framework_m.core.doctypes.queue",
    "QueueOrder": "framework_m.core.jobs.queue_order",
    "Rate": "framework_m.core.jobs.limits",
    "Repository": "framework_m.core.interfaces.repository",
    "Retry": "framework_m.core.jobs.control",
    "ScheduledJob": "framework_m.core.doctypes.scheduled_job",
    "Secret": "framework_m.core.doctypes.fields",
    "Settings": "framework_m.settings",
    "Snooze": "framework_m.core.jobs.control",
    "Transaction": "framework_m.core.transaction",
    "Unique": "framework_m.core.jobs.unique",
    "User": "framework_m.core.identity",
    "acting_as": "framework_m.core.identity",
    "cron": "framework_m.core.scheduling.declared",
    "job": "framework_m.core.jobs.decorator",
    "on": "framework_m.core.events.subscriptions",
    "where": "framework_m.core.interfaces.filters",
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
