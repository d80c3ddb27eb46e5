"""What buses that several processes share promise when one of them is killed."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framework_m import BaseEvent
from tests.support.events import Heard
from tests.support.harness import Harness, until
from tests.support.processes import worker_process

ROOT = Path(__file__).parents[2]
APP = "tests.support.event_application:app"

DIES_AFTER_COMMIT = """
import asyncio, os, sys
from framework_m import BaseEvent
from framework_m.core.outbox.event_relay import EventRelay
from tests.support.event_application import app

def die(self, rows):
    os._exit(9)  # the moment between commit and publish

EventRelay.publish = die

async def main():
    async with app:
        await app.publish(BaseEvent(id=sys.argv[1], event_type="test.committed"))

asyncio.run(main())
"""


class EventDeathContract:
    """Subclass it with a `harness` fixture; its lease is short."""

    @pytest.mark.parametrize("order", ["unordered", "ordered"])
    async def test_an_event_whose_process_dies_before_the_acknowledgement_comes_again(
        self, harness: Harness, tmp_path: Path, order: str
    ) -> None:
        log = tmp_path / "log"
        ordered = order == "ordered"
        events = harness.app.events
        made = await events.subscribe("test.dies", Heard(), group="dies", ordered=ordered)
        await events.unsubscribe(made)
        sent = [
            BaseEvent(event_type="test.dies", doctype="Doc", doc_id="1", data=n) for n in range(3)
        ]
        await events.publish_many(sent)
        await self.run(harness, "-m", "tests.support.dies_after_effect", str(log), order)
        assert len(log.read_text().split()) >= 1, "it had its effect"
        heard = Heard()
        await events.subscribe("test.dies", heard, group="dies", ordered=ordered)
        handled = await heard.count(3)
        if ordered:
            assert handled == [one.id for one in sent]
        assert sorted(handled) == sorted(one.id for one in sent)
        assert max(received.attempt for received in heard.received) == 2

    async def test_what_a_process_committed_before_it_died_is_published_by_another(
        self, harness: Harness
    ) -> None:
        heard = Heard()
        await harness.app.events.subscribe("test.committed", heard, group="g")
        event = BaseEvent(event_type="test.committed")
        await self.run(harness, "-c", DIES_AFTER_COMMIT, event.id)
        async with harness.app.serving():  # what any web process does: its relay sweeps
            assert await heard.count(1) == [event.id]

    async def test_a_handler_of_many_leases_handles_its_event_once(self, harness: Harness) -> None:
        slow, other = Heard(), Heard()
        slow.gate = asyncio.Event()
        await harness.app.events.subscribe("test.slow", slow, group="g")
        await harness.app.publish(BaseEvent(event_type="test.slow"))
        await slow.until(lambda heard: heard.running == 1)
        async with harness.application() as elsewhere:
            await elsewhere.events.subscribe("test.slow", other, group="g")
            await asyncio.sleep(3)  # three leases: the length is what is tested
            slow.gate.set()
            await slow.count(1)
        assert [received.attempt for received in slow.received] == [1]
        assert other.received == []

    async def test_a_worker_told_to_stop_lets_its_handlers_end(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        log, gate = tmp_path / "log", tmp_path / "gate"
        waiting = BaseEvent(event_type="test.wait", data={"log": str(log), "gate": str(gate)})
        with worker_process(harness.environment(), tmp_path / "output", app=APP) as worker:
            await until(lambda: _knows(harness, "waits-wait_for_gate"))
            await harness.app.publish(waiting)
            await harness.lines(log, 1)
            stopping = asyncio.create_task(asyncio.to_thread(worker.stop))
            await asyncio.sleep(0)
            gate.touch()
            assert await stopping == 0, worker.output()
        assert log.read_text().split() == ["begun", "ended"]

    async def run(self, harness: Harness, *arguments: str) -> None:
        """A process that dies by its own hand."""
        died = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **harness.environment()},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert died.returncode == 9, died.stdout + died.stderr


async def _knows(harness: Harness, group: str) -> bool:
    """Whether the group was made, so that what is published now waits for it."""
    bus = harness.app.events.bus
    groups = getattr(bus, "_groups", None)
    if groups is not None:
        groups.add(group)
    return group in await bus.lag()
