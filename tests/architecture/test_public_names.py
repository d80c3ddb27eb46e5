"""What users may import is a promise: a change of it shows here, and belongs in the changelog."""

import subprocess
import sys

import pytest

import framework_m
import framework_m.webhooks

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

WEBHOOK_NAMES = ["WebhookSecretError", "WebhookVerificationError", "verify", "webhook_guard"]

LOADED = """
import sys
{use}
print(*{{name.partition(".")[0] for name in sys.modules}})
"""

VERIFYING = """
from framework_m.webhooks import WebhookVerificationError, verify
try:
    verify({}, b"", "a secret")
except WebhookVerificationError:
    pass
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


def test_the_public_names_for_receivers_of_webhooks_are_these() -> None:
    assert framework_m.webhooks.__all__ == WEBHOOK_NAMES
    assert all(getattr(framework_m.webhooks, name) is not None for name in WEBHOOK_NAMES)


@pytest.mark.parametrize("use", ["import framework_m", VERIFYING], ids=["package", "webhooks"])
def test_importing_the_package_loads_no_vendor_library(use: str) -> None:
    # A fresh process: this one has long loaded all of them.
    command = [sys.executable, "-I", "-c", LOADED.format(use=use)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "framework_m" in loaded
    assert VENDORS.isdisjoint(loaded)
