"""Cancellation: the wish that a run stops, which code in threads has to notice itself."""

from __future__ import annotations

import asyncio

from framework_m.core.jobs.control import Cancel

ON_REQUEST = "cancelled on request"
"""The reason where somebody asked for it."""


class Cancellation:
    """Of one run. Set in the worker's event loop, read from any thread."""

    __slots__ = ("_reason",)

    def __init__(self) -> None:
        self._reason: str | None = None

    @property
    def is_requested(self) -> bool:
        return self._reason is not None

    def request(self, reason: str) -> None:
        """The first reason counts."""
        if self._reason is None:
            self._reason = reason

    def meant_by(self, error: BaseException) -> BaseException:
        """What an interruption says of the run: that it was cancelled, if that was asked for."""
        if self._reason is not None and isinstance(error, asyncio.CancelledError):
            return Cancel(self._reason)
        return error

    def check(self) -> None:
        """Raises Cancel once it was requested."""
        if self._reason is not None:
            raise Cancel(self._reason)
