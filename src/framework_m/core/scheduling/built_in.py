"""The schedules of the framework's own: every application has them, and may disable them."""

from __future__ import annotations

from framework_m.core.jobs.built_in import prune_jobs
from framework_m.core.scheduling.declared import CronJob, cron

BUILT_IN: tuple[CronJob, ...] = (cron(prune_jobs, hour=3, minute=17),)
