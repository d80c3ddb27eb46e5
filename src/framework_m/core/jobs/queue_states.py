"""QueueStates: which queues are paused, as far as this process has heard."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from framework_m.core.errors import UnavailableError
from framework_m.core.outage import every

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from framework_m.core.doctypes.queue import Queue
    from framework_m.core.errors import FieldError
    from framework_m.core.interfaces.queue_store import QueueRule, QueueStore
    from framework_m.core.interfaces.record_keeper import Change
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_INTERVAL = 1.0


class QueueStates:
    """Keeps workers from asking for what is paused.

    What may run is decided at the claim, by the database. This only follows: at once where a
    record is saved in this process, within about a second where another one did.
    """

    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self._rules: Mapping[str, QueueRule] = {}
        self._hearers: list[Callable[[], None]] = []
        self._asked = 0
        self._answered = 0

    def open_among(self, queues: Sequence[str]) -> tuple[str, ...]:
        """Those that are not paused, in the same order."""
        return tuple(queue for queue in queues if not self.is_paused(queue))

    def is_paused(self, queue: str) -> bool:
        rule = self._rules.get(queue)
        return rule is not None and rule.paused

    def limit_of(self, queue: str) -> int | None:
        """How many of its jobs may run at once, over all workers; None is any number."""
        rule = self._rules.get(queue)
        return None if rule is None else rule.concurrency

    async def refresh(self) -> None:
        """Look again, and tell who follows if anything is otherwise. Raises UnavailableError."""
        self._asked += 1
        question = self._asked
        rules = {rule.name: rule for rule in await self._store.rules()}
        if question < self._answered:
            return  # who asked later has had an answer, and a newer one
        self._answered = question
        if rules != self._rules:
            self._rules = rules
            for hearer in list(self._hearers):
                hearer()

    @contextlib.asynccontextmanager
    async def followed(self, changed: Callable[[], None]) -> AsyncIterator[None]:
        """Look every second for as long as the block lasts, and call when something changed."""
        with contextlib.suppress(UnavailableError):  # a claim will meet it, too, and say so
            await self.refresh()
        stop = asyncio.Event()
        looking = every(_INTERVAL, self.refresh, stop, who="queues")
        follower = asyncio.create_task(looking, name="queue-states")
        self._hearers.append(changed)
        try:
            yield
        finally:
            self._hearers.remove(changed)
            stop.set()
            await follower


class QueueKeeper:
    """The RecordKeeper of Queue records: this process looks at once when one has changed."""

    def __init__(self, states: QueueStates) -> None:
        self._states = states

    async def prepare(self, queue: Queue, unit: UnitOfWorkProtocol) -> None:
        """The fields say it all."""

    def faults(self, queue: Queue) -> Sequence[FieldError]:
        return ()

    def require_removable(self, queue: Queue) -> None:
        """Any may go: a queue needs no record."""

    def changed(self, queue: Queue) -> Change:
        return self._states.refresh

    def removed(self, queue: Queue) -> Change:
        return self._states.refresh
