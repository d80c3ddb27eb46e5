"""A dead letter as people and programs see it."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from framework_m.core.events.envelope import payload

if TYPE_CHECKING:
    from framework_m.core.interfaces.event_store import DeadLetter


class LetterRecord(BaseModel):
    """An event that a group could not handle."""

    model_config = ConfigDict(frozen=True)

    id: str
    group: str = Field(description="`relay` is that of events which the bus did not take.")
    topic: str
    event_id: str | None
    error: str = Field(description="`Type: message` of the last attempt.")
    attempts: int
    at: datetime | None
    event: dict[str, Any] | None = Field(description="The envelope; null if it cannot be read.")
    raw: str | None = Field(description="Then its bytes, in base64.")
    headers: dict[str, str]

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        message = letter.message
        return cls(
            id=letter.id,
            group=letter.group,
            topic=letter.topic,
            event_id=letter.event_id,
            error=letter.error,
            attempts=letter.attempts,
            at=letter.at,
            event=None if message is None else json.loads(payload(message)),
            raw=base64.b64encode(letter.raw).decode() if message is None else None,
            headers=dict(letter.headers),
        )
