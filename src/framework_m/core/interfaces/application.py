"""Port: the application, as its web interface and its command line see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from framework_m.core.doctypes.base import DocType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from framework_m.core.access.gate import Gate
    from framework_m.core.doctypes.registry import DocTypeRegistry
    from framework_m.core.errors import FieldError
    from framework_m.core.events.registry import HandlerRegistry
    from framework_m.core.events.service import Events
    from framework_m.core.identity import User
    from framework_m.core.interfaces.replays import ReplayStore
    from framework_m.core.interfaces.repository import Repository
    from framework_m.core.jobs.queues import Queues
    from framework_m.core.jobs.registry import JobRegistry
    from framework_m.core.jobs.service import Jobs
    from framework_m.core.jobs.workers import Workers
    from framework_m.core.metrics import Metrics
    from framework_m.core.scheduling.declared import Declaration
    from framework_m.core.scheduling.schedules import Schedules
    from framework_m.core.scheduling.settling import Settling
    from framework_m.core.transaction import Transaction

D = TypeVar("D", bound=DocType)


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one thing that the application needs is there."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class WebOptions:
    """How an application is served. Sizes are in bytes, limits are per minute (0 is none)."""

    body_limit: int = 1_000_000
    trusted_origins: tuple[str, ...] = ()
    """Whose pages may use the API from a browser, beside our own."""
    allowed_hosts: tuple[str, ...] = ()
    """The names that the server goes by; any, if there are none."""
    sign_in_limit: int = 0
    enqueue_limit: int = 0
    longest_wait: float = 30
    """Seconds that a request may wait for its job."""


class ContentsProtocol(Protocol):
    """What an application's modules hold, the framework's own among it.

    Each part imports the modules at first use, and raises ConfigurationError.
    """

    @property
    def modules(self) -> Sequence[str]:
        """Their names, as the application has given them."""

    @property
    def jobs(self) -> JobRegistry:
        """The job functions."""

    @property
    def doctypes(self) -> DocTypeRegistry:
        """The DocTypes and their controllers."""

    @property
    def handlers(self) -> HandlerRegistry:
        """The event handlers."""

    @property
    def settling(self) -> Settling:
        """What is checked of schedules."""

    @property
    def schedules(self) -> Mapping[str, Declaration]:
        """The schedules that code declares, by name."""


class ApplicationProtocol(Protocol):
    """An application that can be served."""

    @property
    def web_options(self) -> WebOptions:
        """How it is served."""

    @property
    def access(self) -> Gate:
        """Tells whom a token stands for. Raises ConfigurationError while it is not open."""

    @property
    def doctypes(self) -> DocTypeRegistry:
        """Its DocTypes; imports its modules."""

    @property
    def replays(self) -> ReplayStore:
        """What requests that may come again have led to."""

    def repository(self, doctype: type[D], *, as_user: User | None = None) -> Repository[D]:
        """The documents of a DocType, as far as this user may use them."""

    def faults(self, document: DocType) -> Sequence[FieldError]:
        """What the framework itself finds in a record of its own, all at once.

        Fields may be missing. Raises ConfigurationError while the application is not open.
        """

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """What is saved and enqueued in the block commits or vanishes together."""

    @property
    def jobs(self) -> Jobs:
        """Its jobs. Raises ConfigurationError while it is not open."""

    @property
    def queues(self) -> Queues:
        """Its queues. Raises ConfigurationError while it is not open."""

    @property
    def workers(self) -> Workers:
        """Its workers. Raises ConfigurationError while it is not open."""

    @property
    def schedules(self) -> Schedules:
        """Its schedules. Raises ConfigurationError while it is not open."""

    @property
    def events(self) -> Events:
        """Its events. Raises ConfigurationError while it is not open."""

    @property
    def metrics(self) -> Metrics:
        """What this process has counted. Raises ConfigurationError while it is not open."""

    def worker(self) -> AbstractAsyncContextManager[None]:
        """Run jobs for as long as the block lasts."""

    async def readiness(self) -> Sequence[Check]:
        """Whether it can do its work now, thing by thing. Raises nothing."""

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Open for as long as it is served; missing servers are waited for, not fatal."""
