"""Port: the application, as its web interface and its command line see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from framework_m.core.events.service import Events
    from framework_m.core.jobs.service import Jobs


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one thing that the application needs is there."""

    name: str
    ok: bool
    detail: str


class ApplicationProtocol(Protocol):
    """An application that can be served."""

    @property
    def jobs(self) -> Jobs:
        """Its jobs. Raises ConfigurationError while it is not open."""

    @property
    def events(self) -> Events:
        """Its events. Raises ConfigurationError while it is not open."""

    async def readiness(self) -> Sequence[Check]:
        """Whether it can do its work now, thing by thing. Raises nothing."""

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Open for as long as it is served; missing servers are waited for, not fatal."""
