"""The event handlers of one application, found in its modules."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import BaseModel

from framework_m.core.discovery import modules_below
from framework_m.core.errors import HandlerError
from framework_m.core.events.context import EventContext
from framework_m.core.events.envelope import BaseEvent
from framework_m.core.events.subscriptions import EventHandler
from framework_m.core.interfaces.event_bus import DeliveryTerms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, slots=True)
class RegisteredHandler:
    """A handler with its parameters looked at and its options resolved."""

    handler: EventHandler[Any, Any]
    takes: type[BaseModel]
    """What its event parameter is annotated with."""
    takes_context: bool
    terms: DeliveryTerms

    @property
    def topic(self) -> str:
        return self.handler.mark.topic

    @property
    def group(self) -> str | None:
        return self.handler.group


class HandlerRegistry:
    """Handlers in the order in which they were found."""

    def __init__(self, *, default_retries: int, default_concurrency: int) -> None:
        self._default_retries = default_retries
        self._default_concurrency = default_concurrency
        self._handlers: dict[EventHandler[Any, Any], RegisteredHandler] = {}

    def __iter__(self) -> Iterator[RegisteredHandler]:
        return iter(self._handlers.values())

    def __len__(self) -> int:
        return len(self._handlers)

    def discover(self, modules: Iterable[str]) -> None:
        """Import the modules, and those below them, and register what they hold.

        Raises ConfigurationError: a module does not import, a handler is wrong, two have one
        place in a group.
        """
        for module in modules_below(modules):
            for value in list(vars(module).values()):
                if isinstance(value, EventHandler):
                    self.add(value)

    def add(self, handler: EventHandler[Any, Any]) -> None:
        """Register it; the same one twice is harmless. Raises HandlerError."""
        if handler in self._handlers:
            return
        for other in self._handlers:
            if handler.group is not None and other.group == handler.group:
                raise HandlerError(
                    handler.place,
                    f"the group {handler.mark.group!r} has a handler of this name already, "
                    f"at {other.place}",
                )
        self._handlers[handler] = self._resolve(handler)

    def _resolve(self, handler: EventHandler[Any, Any]) -> RegisteredHandler:
        takes, takes_context = _parameters(handler.place, handler.function)
        mark = handler.mark
        retries = self._default_retries if mark.retries is None else mark.retries
        terms = DeliveryTerms(
            retries + 1, mark.backoff, mark.concurrency or self._default_concurrency
        )
        return RegisteredHandler(handler, takes, takes_context, terms)


def _parameters(place: str, function: Callable[..., Any]) -> tuple[type[BaseModel], bool]:
    """What the event parameter takes, and whether a context comes before it."""
    names = list(inspect.signature(function).parameters)
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise HandlerError(
            place,
            f"an annotation cannot be resolved ({error}); import the name at run time, not under "
            f"TYPE_CHECKING",
        ) from error
    takes_context = bool(names) and hints.get(names[0]) is EventContext
    rest = names[1:] if takes_context else names
    if len(rest) != 1:
        raise HandlerError(place, "takes the event, and before it an EventContext if it wants one")
    return event_class(place, hints.get(rest[0], BaseEvent)), takes_context


def event_class(place: str, annotation: Any) -> type[BaseModel]:
    """The class that an annotation stands for. Raises HandlerError."""
    if annotation is Any:
        return BaseEvent
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    raise HandlerError(place, f"its event is annotated {annotation!r}, which is no model")
