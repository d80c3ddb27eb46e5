"""A change of a schedule waits for no server, and the server hears of the latest alone."""

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest

from framework_m.adapters.scheduling.announcements import Announcements, News
from framework_m.adapters.scheduling.jetstream_scheduler import JetStreamScheduler
from framework_m.core.errors import NatsUnavailableError
from framework_m.core.interfaces.schedule_store import Due
from tests.support import jobs
from tests.support.harness import Harness
from tests.support.schedules import NEVER_SOON


def due(name: str, hour: int) -> dict[str, Due | None]:
    return {name: Due(name, datetime(2026, 12, 1, hour, tzinfo=UTC))}


class Server:
    """Answers when it is let."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.told: list[News] = []
        self.asked, self.answers = asyncio.Event(), asyncio.Event()
        self._is_away = is_away

    async def tell(self, news: News) -> None:
        self.told.append(news)
        self.asked.set()
        await self.answers.wait()
        if self._is_away:
            raise NatsUnavailableError("away")


async def test_what_comes_meanwhile_goes_together_and_the_latest_counts() -> None:
    server = Server()
    announcements = Announcements(server.tell)
    announcements.add(due("a", 1))
    await server.asked.wait()
    for news in (due("a", 2), due("b", 3), {"a": None}):
        announcements.add(news)
    server.answers.set()
    await announcements.close()
    assert server.told == [due("a", 1), {"a": None, **due("b", 3)}]


async def test_what_cannot_be_told_is_in_nobodys_way() -> None:
    server = Server(is_away=True)
    server.answers.set()
    announcements = Announcements(server.tell)
    for hour in (1, 2):
        announcements.add(due("a", hour))
        await announcements.close()
    assert server.told == [due("a", 1), due("a", 2)]


@pytest.fixture
def harness(nats_postgresql: Harness) -> Harness:
    return nats_postgresql


async def test_saving_waits_for_no_nats(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it has been away since this process started."""
    scheduler = cast("JetStreamScheduler", harness.app.ports.scheduler)
    silence = asyncio.Event()

    async def silent() -> None:
        await silence.wait()

    monkeypatch.setattr(scheduler, "_ensure", silent)
    await harness.app.schedule(jobs.add, NEVER_SOON, name="saved", a=1)
    await harness.app.schedules.pause("saved")
    silence.set()
    assert not (await harness.app.schedules.get("saved")).enabled


async def test_what_is_due_beyond_the_clock_of_nats_is_not_told(harness: Harness) -> None:
    """It would deliver that at once, again and again."""
    await harness.app.schedule(
        jobs.add, "@daily", name="far", a=1, start_date=datetime(2300, 1, 1, tzinfo=UTC)
    )
    await harness.app.schedule(jobs.add, NEVER_SOON, name="near", a=1)
    scheduler = cast("JetStreamScheduler", harness.app.ports.scheduler)
    await scheduler.close()
    stream = (await scheduler.report_stream()).name
    nats = harness.app.ports.nats
    assert nats is not None
    assert (await nats.jetstream.stream_info(stream)).state.messages == 1
