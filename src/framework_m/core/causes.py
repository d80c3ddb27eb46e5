"""What led to what is done here: handed on to the jobs that follow from it."""

from __future__ import annotations

import contextlib
import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Cause:
    """Of everything that happens in one context; None where there is none."""

    job_id: str | None = None
    """The job that is running: the parent of those that it enqueues."""
    correlation_id: str | None = None
    """Shared by everything that goes back to one beginning."""
    trace_context: str | None = None
    """A W3C traceparent."""


NO_CAUSE = Cause()
_cause: ContextVar[Cause] = ContextVar("framework_m_cause", default=NO_CAUSE)


def current_cause() -> Cause:
    return _cause.get()


def follow(cause: Cause) -> None:
    """The rest of this context, as a rule that of an asyncio task of its own, follows from it."""
    _cause.set(cause)


@contextlib.contextmanager
def caused_by(cause: Cause) -> Iterator[None]:
    """Everything in the block, and the tasks it starts, follows from this."""
    token = _cause.set(cause)
    try:
        yield
    finally:
        _cause.reset(token)


def traceparent(text: str | None) -> str | None:
    """The text, if it is a traceparent (W3C Trace Context, §3.2.2); else nothing."""
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None
