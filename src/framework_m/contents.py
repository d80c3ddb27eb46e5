"""Contents: what an application's modules hold, imported at first use."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from framework_m.core.doctypes.built_in import BUILT_IN
from framework_m.core.doctypes.registry import DocTypeRegistry
from framework_m.core.events.registry import HandlerRegistry
from framework_m.core.jobs.built_in import BUILT_IN as BUILT_IN_JOBS
from framework_m.core.jobs.registry import JobRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from framework_m.core.scheduling.declared import Declaration
    from framework_m.core.scheduling.settling import Settling
    from framework_m.settings import Settings


class Contents:
    """Job functions, DocTypes, event handlers and schedules, the framework's own among them.

    Every part raises ConfigurationError: a module does not import, or what it declares is wrong.
    """

    def __init__(self, modules: Sequence[str], settings: Settings) -> None:
        self.modules = modules
        self._settings = settings
        self.is_adopted = False
        """Whether the application's broker knows the job functions, and they its own."""

    @property
    def has_jobs(self) -> bool:
        """Whether they were looked for already."""
        return "jobs" in vars(self)

    @cached_property
    def jobs(self) -> JobRegistry:
        registry = JobRegistry(
            default_retries=self._settings.job_retries,
            default_timeout=self._settings.job_timeout,
            built_in=BUILT_IN_JOBS,
        )
        registry.discover(self.modules)
        return registry

    @cached_property
    def doctypes(self) -> DocTypeRegistry:
        doctypes = DocTypeRegistry(BUILT_IN)
        doctypes.discover(self.modules)
        return doctypes

    @cached_property
    def handlers(self) -> HandlerRegistry:
        handlers = HandlerRegistry(
            default_retries=self._settings.event_retries,
            default_concurrency=self._settings.event_concurrency,
        )
        handlers.discover(self.modules)
        return handlers

    @cached_property
    def settling(self) -> Settling:
        """What is checked of schedules."""
        # Only where something is open: reading cron expressions and time zones takes a while.
        from framework_m.core.scheduling.settling import Settling  # noqa: PLC0415

        return Settling(self.jobs, timedelta(seconds=self._settings.schedule_floor))

    @cached_property
    def schedules(self) -> Mapping[str, Declaration]:
        """Those that code declares, by name."""
        from framework_m.core.scheduling.built_in import BUILT_IN  # noqa: PLC0415 - as above
        from framework_m.core.scheduling.declared import discovered  # noqa: PLC0415 - as above

        return discovered(self.modules, self.settling, BUILT_IN)
