"""Queues: pause them, resume them, see how they stand. What an application has as `app.queues`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.core.doctypes.queue import Queue, QueueInfo
from framework_m.core.errors import DuplicateError, FieldError, InvalidDocumentError, NotFoundError
from framework_m.core.interfaces.queue_store import QueueCounts
from framework_m.core.jobs.options import is_queue_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.queue_store import QueueRule, QueueStore
    from framework_m.core.interfaces.repository import Repositories
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkFactory
    from framework_m.core.jobs.registry import JobRegistry


class Queues:
    """The queues of one application."""

    def __init__(
        self,
        store: QueueStore,
        units: UnitOfWorkFactory,
        repositories: Repositories,
        registry: JobRegistry,
    ) -> None:
        self._store = store
        self._units = units
        self._repositories = repositories
        self._registry = registry

    async def pause(self, name: str) -> None:
        """Let no job of this queue start, in any process, from the commit on.

        Part of the transaction of the context, if there is one. Jobs that run go on; the others
        wait in their order, and more may be enqueued. Raises InvalidDocumentError.
        """
        await self._set(name, paused=True)

    async def resume(self, name: str) -> None:
        """Let its jobs start again; workers go on within about a second."""
        await self._set(name, paused=False)

    async def list(self) -> Sequence[QueueInfo]:
        """By name: queues with a record, queues that functions name, queues with jobs."""
        rules = {rule.name: rule for rule in await self._store.rules()}
        known = {*rules, *self._registry.queues}
        counts = await self._store.counts(known)
        return [
            _info(name, rules.get(name), counts.get(name)) for name in sorted({*known, *counts})
        ]

    async def get(self, name: str) -> QueueInfo | None:
        """One of them; None if nothing is known of it. Raises InvalidDocumentError."""
        _require_name(name)
        rule = next((rule for rule in await self._store.rules() if rule.name == name), None)
        counted = (await self._store.counts([name], only=True)).get(name)
        if rule is None and counted is None and name not in self._registry.queues:
            return None
        return _info(name, rule, counted)

    async def _set(self, name: str, *, paused: bool) -> None:
        _require_name(name)
        try:
            await self._save(name, paused=paused)
        except DuplicateError:  # somebody else has just made it
            await self._save(name, paused=paused)

    async def _save(self, name: str, *, paused: bool) -> None:
        async with self._units() as unit:
            queues = self._repositories(Queue, unit)
            try:
                queue = await queues.get(name, for_update=True)
            except NotFoundError:
                queue = Queue(name=name)
            if queue.paused != paused:
                queue.paused = paused
                await queues.save(queue)


def _require_name(name: str) -> None:
    if not is_queue_name(name):
        reason = "must be 1 to 64 letters, digits, _ or -"
        raise InvalidDocumentError(Queue.__name__, name, [FieldError("name", reason)])


def _info(name: str, rule: QueueRule | None, counted: QueueCounts | None) -> QueueInfo:
    counts = counted or QueueCounts()
    oldest = counts.oldest_waiting
    return QueueInfo(
        name=name,
        paused=rule is not None and rule.paused,
        concurrency=None if rule is None else rule.concurrency,
        waiting=counts.waiting,
        scheduled=counts.scheduled,
        blocked=counts.blocked,
        running=counts.running,
        finished_per_minute=counts.finished,
        failed_per_minute=counts.failed,
        oldest_waiting_seconds=None if oldest is None else oldest.total_seconds(),
    )
