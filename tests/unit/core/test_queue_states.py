"""What a process has heard of queues."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from framework_m.core.errors import DatabaseUnavailableError
from framework_m.core.interfaces.queue_store import QueueCounts, QueueRule
from framework_m.core.jobs.queue_states import QueueStates

PAUSED = [QueueRule("mail", paused=True, concurrency=None)]
OPEN = [QueueRule("mail", paused=False, concurrency=5)]


class Store:
    """Answers when the test lets it."""

    def __init__(self) -> None:
        self.answers: list[asyncio.Future[Sequence[QueueRule]]] = []

    async def rules(self) -> Sequence[QueueRule]:
        self.answers.append(asyncio.get_running_loop().create_future())
        return await self.answers[-1]

    async def counts(
        self, queues: Collection[str], *, only: bool = False
    ) -> Mapping[str, QueueCounts]:
        raise NotImplementedError


async def test_an_answer_that_comes_late_changes_nothing() -> None:
    store = Store()
    states = QueueStates(store)
    looks = [asyncio.create_task(states.refresh()) for _ in range(2)]
    await asyncio.sleep(0)
    early, late = store.answers
    late.set_result(OPEN)
    await looks[1]
    early.set_result(PAUSED)
    await looks[0]
    assert not states.is_paused("mail")
    assert states.limit_of("mail") == 5
    assert states.open_among(["other", "mail"]) == ("other", "mail")


class Away:
    """A store that is away at first, and then says what the test has set."""

    says: Sequence[QueueRule] | None = None

    async def rules(self) -> Sequence[QueueRule]:
        if self.says is None:
            raise DatabaseUnavailableError("away")
        return self.says

    async def counts(
        self, queues: Collection[str], *, only: bool = False
    ) -> Mapping[str, QueueCounts]:
        raise NotImplementedError


async def test_who_follows_hears_of_changes_and_of_nothing_else() -> None:
    store = Away()
    heard: list[bool] = []
    states = QueueStates(store)
    async with states.followed(lambda: heard.append(states.is_paused("mail"))):
        for rules in (PAUSED, PAUSED, OPEN, OPEN):
            store.says = rules
            await states.refresh()
        assert heard == [True, False]
    store.says = PAUSED
    await states.refresh()
    assert heard == [True, False]
