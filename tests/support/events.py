"""Events and handlers for tests, and somebody who remembers what was heard."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel

from framework_m import Backoff, BaseEvent, DocCreated, DocType, EventContext, Field, Secret, on
from framework_m.core.identity import acting_user_id
from framework_m.core.interfaces.event_bus import ReceivedEvent

DEADLINE = 20.0
DOCUMENTS = 10
"""Counters that chaos counts with."""


class Paid(BaseEvent):
    event_type: str = "invoice.paid"
    amount: Decimal = Field(ge=0)


class Plain(BaseModel):
    """No event: it becomes the data of one."""

    number: int


class Note(DocType):
    """A document to save."""

    text: str = ""

    class Meta:
        naming = "given"
        submittable = True
        event_fields = ("text",)


class Silent(DocType):
    """Its changes are nobody's business."""

    class Meta:
        naming = "given"
        events = False


class Customer(DocType):
    title: str = ""
    token: Secret | None = None

    class Meta:
        naming = "given"
        event_fields = ("title", "token")


class Heard:
    """A callback that remembers, and may be told to fail or to wait."""

    def __init__(self) -> None:
        self.received: list[ReceivedEvent] = []
        self.handled: list[str] = []
        self.fails: Callable[[ReceivedEvent], bool] = lambda _: False
        self.gate: asyncio.Event | None = None
        self.running = 0
        self.most_running = 0
        self._changed = asyncio.Event()

    async def __call__(self, received: ReceivedEvent) -> None:
        self.received.append(received)
        self._changed.set()
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            if self.fails(received):
                raise RuntimeError("told to fail")
        finally:
            self.running -= 1
        self.handled.append(received.message.event_id)
        self._changed.set()

    async def until(self, done: Callable[[Heard], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not done(self):
                self._changed.clear()
                await self._changed.wait()

    async def count(self, number: int) -> list[str]:
        """The ids handled, once there are that many."""
        await self.until(lambda heard: len(heard.handled) >= number)
        return self.handled


def append(log: str, word: str) -> None:
    with Path(log).open("a") as file:
        file.write(f"{word}\n")


@on("test.note", group="notes")
async def keep_note(ctx: EventContext, event: BaseEvent) -> None:
    append(event.data["log"], event.data["word"])


@on("test.note", group="notes", ordered=True)
async def keep_in_order(ctx: EventContext, event: BaseEvent) -> None:
    append(f"{event.data['log']}.ordered", f"{event.doc_id}:{event.data['word']}")


@on("doc.created", doctype=Note, group="typed")
async def note_created(event: DocCreated) -> None:
    if event.doc_id.startswith("/"):
        append(event.doc_id, f"{event.event_type} {event.user_id} {acting_user_id()}")


@on("test.plain", group="typed")
def plain_function(event: Plain) -> None:
    assert event.number >= 0


@on("test.once", group="once", exactly_once=True, retries=2)
async def save_once(ctx: EventContext, event: BaseEvent) -> None:
    """Writes, and fails after it where it is told to."""
    await ctx.repository(Note).save(Note(name=f"{event.doc_id}-{ctx.attempt}"))
    if ctx.attempt <= int(event.data.get("fails", 0)):
        raise RuntimeError("after the write")


@on("test.live")
async def heard_live(event: BaseEvent) -> None:
    append(event.data["log"], event.data["word"])


@on("test.wait", group="waits")
async def wait_for_gate(event: BaseEvent) -> None:
    append(event.data["log"], "begun")
    while not Path(event.data["gate"]).exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.005)
    append(event.data["log"], "ended")


class Counter(DocType):
    """Counts the transactions that committed about one document."""

    total: int = 0

    class Meta:
        naming = "given"
        events = False


@on("test.counted", group="chaos", retries=1000, backoff=Backoff(min=0, max=0.01))
async def count_any(event: BaseEvent) -> None:
    append(event.data["log"], f"{event.doc_id}:{event.data['n']}")


@on("test.counted", group="chaos", ordered=True, retries=1000, backoff=Backoff(min=0, max=0.01))
async def count_in_order(event: BaseEvent) -> None:
    if random.random() < 0.05:  # nothing of it was done: it is tried again, in its place
        raise RuntimeError("at random")
    append(f"{event.data['log']}.ordered", f"{event.doc_id}:{event.data['n']}")
