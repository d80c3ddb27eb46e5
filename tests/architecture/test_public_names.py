"""What users may import is a promise: a change of it shows here, and belongs in the changelog."""

import subprocess
import sys

import pytest

import framework_m

PUBLIC_NAMES = [
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

VENDORS = {
    "aiohttp",
    "aiosqlite",
    "alembic",
    "asyncpg",
    "cryptography",
    "cyclopts",
    "httpx",
    "jwt",
    "litestar",
    "nats",
    "pydantic",
    "sqlalchemy",
    "taskiq",
    "taskiq_nats",
    "uvicorn",
    "uvloop",
}

LOADED = """
import sys
import framework_m
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_the_public_names_are_these() -> None:
    assert framework_m.__all__ == PUBLIC_NAMES


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(framework_m, name) is not None
    assert name in dir(framework_m)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = framework_m.Nothing


def test_importing_the_package_loads_no_vendor_library() -> None:
    # A fresh process: this one has long loaded all of them.
    command = [sys.executable, "-I", "-c", LOADED]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "framework_m" in loaded
    assert VENDORS.isdisjoint(loaded)
