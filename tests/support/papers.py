"""DocTypes with permissions, served over HTTP."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel, field_validator

from framework_m import Controller, DocType, Field, Link, Secret


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


class Shelf(DocType):
    """What papers lie on; each reader sees their own."""

    label: str = ""

    class Meta:
        naming = "given"
        api_resource = True
        permissions = {  # noqa: RUF012 - read once
            "Reader": ["read:own", "create", "write:own", "delete:own"],
            "Librarian": ["read", "create", "write", "delete"],
        }


class Note(BaseModel):
    text: str
    weight: Decimal | None = None
    inner: Note | None = None


class Paper(DocType):
    """A field of many types."""

    title: str = Field(max_length=50)
    shelf: Link[Shelf] | None = None
    number: str | None = None
    price: Decimal = Field(Decimal(0), ge=0, max_digits=12, decimal_places=2)
    pages: int = 0
    ratio: float | None = None
    day: date | None = None
    mood: Mood = Mood.GOOD
    tags: list[str] = Field(default_factory=list)
    notes: list[Note] = Field(default_factory=list)
    extra: dict[str, Any] = Field(default_factory=dict)
    raw: bytes | None = None
    key: Secret | None = None

    @field_validator("title")
    @classmethod
    def _titled(cls, value: str) -> str:
        if value == "forbidden":
            raise ValueError("is a forbidden title")
        return value

    class Meta:
        api_resource = True
        submittable = True
        unique = ("number",)
        search_fields = ("title",)
        list_columns = ("title", "price")
        permissions = {  # noqa: RUF012 - read once
            "Reader": ["read"],
            "Author": ["read:own", "create", "write:own", "submit:own", "delete:own"],
            "Editor": ["read", "create", "write", "submit", "delete"],
            "Proofreader": ["read", "write:own", "cancel"],
            "Dropbox": ["create"],
            "Blind": ["write", "delete", "submit"],
        }


class PaperController(Controller[Paper]):
    async def validate(self) -> None:
        if self.doc.pages > 10_000:
            raise ValueError("too long to be read")


class Hidden(DocType):
    """Served, and nobody was given anything."""

    text: str = ""

    class Meta:
        api_resource = True


class Inside(DocType):
    """Not served at all."""

    text: str = ""
    linked: Link[Hidden] | None = None

    class Meta:
        permissions = {"Reader": ["read"]}  # noqa: RUF012 - read once
