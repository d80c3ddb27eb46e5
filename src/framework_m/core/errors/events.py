"""Errors of events and their handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.core.errors.base import ConfigurationError, FieldError, FrameworkMError

if TYPE_CHECKING:
    from collections.abc import Sequence


class HandlerError(ConfigurationError):
    """An event handler is declared in a way that cannot work."""

    def __init__(self, handler: str, reason: str) -> None:
        super().__init__(f"event handler {handler}: {reason}")


class EventError(FrameworkMError):
    """Something about one event."""


class InvalidEventError(EventError):
    """An event that cannot be published; `errors` has one entry per field."""

    def __init__(self, event_type: str, errors: Sequence[FieldError]) -> None:
        told = "; ".join(f"{error.field}: {error.message}" for error in errors)
        super().__init__(f"event {event_type!r} cannot be published: {told}")
        self.errors = tuple(errors)


class TopicError(EventError):
    """A topic, a pattern of topics or a group has a name that cannot be."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"{topic!r}: {reason}")
        self.topic = topic


class UndecodableEventError(EventError):
    """What arrived cannot be read as what the handler takes. It does not come again."""

    def __init__(self, wanted: str, errors: Sequence[FieldError]) -> None:
        told = "; ".join(f"{error.field}: {error.message}" for error in errors)
        super().__init__(f"is no {wanted}: {told}")
        self.errors = tuple(errors)


class DeadLetterNotFoundError(EventError):
    """No dead letter has this id: it never was, or it was re-driven."""

    def __init__(self, letter_id: str) -> None:
        super().__init__(f"no dead letter has the id {letter_id!r}")
        self.letter_id = letter_id
