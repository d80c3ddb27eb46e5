"""Port: what notices that a schedule is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection, Sequence

    from framework_m.core.interfaces.schedule_store import Due


class SchedulerProtocol(Protocol):
    """Has schedules fired when they are due, by `core.scheduling.firing.Fire`.

    Delivery: at least once, at the due time or soon after it; in any number of processes. The
        records decide: a call that comes twice, late, or for what was edited meanwhile does
        nothing. So `arm` and `disarm` only hasten what the records say anyway.
    Changes: take effect within two seconds of their commit, also where `arm` was never called.
    Ours to raise: nothing. `arm` and `disarm` return at once, whether servers answer or not.
    """

    async def arm(self, due: Sequence[Due]) -> None:
        """These schedules are due then, and not when they were before."""

    async def disarm(self, schedules: Collection[str]) -> None:
        """These are not due any more."""

    async def close(self) -> None:
        """Hand over what is still on its way, if that takes no longer than a moment."""

    async def run(self, stop: asyncio.Event) -> None:
        """Fire what is due until `stop`, through outages and errors of any kind."""
