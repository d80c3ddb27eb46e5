"""The wake-up call is the core's; jobs have always known it under this name."""

from __future__ import annotations

from framework_m.core.wakeup import Wakeup

__all__ = ["Wakeup"]
