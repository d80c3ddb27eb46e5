"""DocTypes for tests, and what their controllers did."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from framework_m import Controller, DocType, Field, Link, Secret
from tests.support.jobs import add


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Line(BaseModel):
    text: str
    amount: Decimal
    at: datetime | None = None


class Customer(DocType):
    title: str = ""
    token: Secret | None = None

    class Meta:
        naming = "given"
        search_fields = ("name", "title")


class Invoice(DocType):
    customer: Link[Customer] | None = None
    number: str | None = None
    total: Decimal = Field(Decimal(0), ge=0)
    net: Decimal | None = Field(None, max_digits=12, decimal_places=2)
    due: date | None = None
    count: int = 0
    tags: list[str] = Field(default_factory=list)

    class Meta:
        naming = "INV-.YYYY.-.#####"
        submittable = True
        indexes = ("customer", ("customer", "due"))
        unique = ("number", ("customer", "count", "due"))


class Everything(DocType):
    """A field of every type."""

    text: str = ""
    short: str | None = Field(None, max_length=5)
    integer: int = 0
    number: float = 0.0
    flag: bool = False
    exact: Decimal = Decimal(0)
    money: Decimal | None = Field(None, max_digits=12, decimal_places=2)
    day: date | None = None
    moment: datetime | None = None
    clock: time | None = None
    key: UUID | None = None
    colour: Colour = Colour.RED
    level: Level | None = None
    choice: Literal["a", "b"] = "a"
    mapping: dict[str, Any] = Field(default_factory=dict)
    items: list[Line] = Field(default_factory=list)
    line: Line | None = None
    anything: Any = None
    raw: bytes | None = None
    secret: Secret | None = None


class Tree(DocType):
    parent: Link[Tree] | None = None

    class Meta:
        naming = "given"


class Slugged(DocType):
    title: str

    class Meta:
        naming = "field:title"


class Refused(Exception):
    """What a hook raises."""


class Watched(DocType):
    """Its controller writes down what happens, and refuses what it is told to."""

    text: str = ""
    refuse: str = ""

    class Meta:
        submittable = True


class WatchedController(Controller[Watched]):
    seen: list[str] = []  # noqa: RUF012 - for all of them

    async def validate(self) -> None:
        await self._note("validate")

    async def before_insert(self) -> None:
        await self._note("before_insert")

    async def after_insert(self) -> None:
        await self._note("after_insert")
        await self.unit.enqueue(add, 1)

    async def before_update(self) -> None:
        self.doc.text = self.doc.text.strip()
        await self._note("before_update")

    async def after_update(self) -> None:
        await self._note("after_update " + ",".join(sorted(self.changed)))

    async def before_delete(self) -> None:
        await self._note("before_delete")

    async def after_delete(self) -> None:
        await self._note("after_delete")

    async def before_submit(self) -> None:
        await self._note("before_submit")

    async def after_submit(self) -> None:
        await self._note("after_submit")

    async def before_cancel(self) -> None:
        await self._note("before_cancel")

    async def after_cancel(self) -> None:
        await self._note("after_cancel")

    async def _note(self, hook: str) -> None:
        self.seen.append(hook)
        if self.doc.refuse == hook.partition(" ")[0]:
            raise Refused(hook)
