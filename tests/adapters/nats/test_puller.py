"""Pull requests: one that the server has forgotten without a word is noticed."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from framework_m.adapters.nats import puller as module
from framework_m.adapters.nats.connection import NatsConnection
from framework_m.adapters.nats.puller import Puller


class Wire:
    """As much of a connection as a puller needs, with a server that says what the test says."""

    def __init__(self) -> None:
        self.client = self
        self.asked: list[str] = []
        self._heard: Any = None

    def new_inbox(self) -> str:
        return "inbox"

    async def subscribe(self, _subject: str, cb: Any) -> None:
        self._heard = cb

    async def publish(self, _subject: str, _payload: bytes, reply: str) -> None:
        self.asked.append(reply)

    async def says(self, status: str) -> None:
        """Answer the last request."""
        about = Msg(_client=Client(), subject=self.asked[-1], headers={"Status": status})
        await self._heard(about)


class Watch:
    """A clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def waiting(wire: Wire, watch: Watch) -> Puller:
    """It has asked for the next message."""
    puller = Puller(cast("NatsConnection", wire), "stream", "consumer", lambda: None)
    await puller.wait_for_one()
    return puller


async def test_a_request_that_the_server_keeps_speaking_of_waits(
    waiting: Puller, wire: Wire, watch: Watch
) -> None:
    for _ in range(10):
        watch.now += 2
        await wire.says("100")
    assert not waiting.may_have_more


async def test_a_request_that_the_server_is_silent_about_is_not_waited_for(
    waiting: Puller, watch: Watch
) -> None:
    watch.now += 5
    assert waiting.may_have_more


async def test_a_request_that_ran_out_is_not_waited_for(waiting: Puller, wire: Wire) -> None:
    await wire.says("408")
    assert waiting.may_have_more
    assert not waiting.is_broken


async def test_a_consumer_that_is_gone_is_noticed(waiting: Puller, wire: Wire) -> None:
    await wire.says("409")
    assert waiting.is_broken
