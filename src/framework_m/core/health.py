"""Health: what a process says of itself to whoever restarts and balances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.application import Check

LIVE = {"status": "live"}
"""While the process answers at all."""


def readiness(checks: Sequence[Check]) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the body: 200 if everything it needs is there, else 503."""
    is_ready = all(check.ok for check in checks)
    told = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks]
    body = {"status": "ready" if is_ready else "unavailable", "checks": told}
    return 200 if is_ready else 503, body
