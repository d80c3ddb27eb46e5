"""The DocTypes of the framework's own: every application has them.

Their tables are made by the framework's migrations, never by an application's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.core.doctypes.queue import Queue
from framework_m.core.doctypes.scheduled_job import ScheduledJob

if TYPE_CHECKING:
    from framework_m.core.doctypes.base import DocType

BUILT_IN: tuple[type[DocType], ...] = (Queue, ScheduledJob)
