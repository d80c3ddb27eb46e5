"""@on: marks a function as an event handler. Discovery collects what is marked."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from framework_m.core.doctypes.base import DocType
from framework_m.core.errors import HandlerError, TopicError
from framework_m.core.events.topics import checked_pattern
from framework_m.core.jobs.retry import BackoffFunction

P = ParamSpec("P")
R = TypeVar("R")

_GROUP = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class Mark:
    """What `@on` said. None is the setting's default."""

    topic: str
    doctype: str | None = None
    group: str | None = None
    ordered: bool = False
    retries: int | None = None
    backoff: BackoffFunction | None = None
    concurrency: int | None = None
    exactly_once: bool = False


class EventHandler(Generic[P, R]):
    """A marked function. Called, it is the function."""

    def __init__(self, function: Callable[P, R], mark: Mark) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.mark = mark

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<handler {self.name!r} of {self.mark.topic!r} at {self.place}>"

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def group(self) -> str | None:
        """The group's name on the bus: each handler of a group has a place of its own in it, so
        that one which fails is tried again alone."""
        return None if self.mark.group is None else f"{self.mark.group}-{self.name}"

    @property
    def place(self) -> str:
        """Where it is defined, for people."""
        code = inspect.unwrap(self.function).__code__
        return (
            f"{self.function.__module__}:{self.function.__qualname__} (line {code.co_firstlineno})"
        )


def on(
    topic: str,
    *,
    doctype: type[DocType] | str | None = None,
    group: str | None = None,
    ordered: bool = False,
    retries: int | None = None,
    backoff: BackoffFunction | None = None,
    concurrency: int | None = None,
    exactly_once: bool = False,
) -> Callable[[Callable[P, R]], EventHandler[P, R]]:
    """Mark a function as a handler of the events on a topic, or on every topic of a pattern.

        @on("doc.created", doctype="Invoice", group="billing")
        async def charge(ctx: EventContext, event: DocCreated) -> None: ...

    Its last parameter is the event, as the class that it is annotated with: a BaseEvent, or any
    other model, which then is the event's data. A first parameter annotated `EventContext` is
    filled, too. Plain functions run in a thread.

    doctype: only events of this one.
    group: durable and shared. Workers hand each event to one of them, again after an error, until
        it is handled or a dead letter. The group keeps its place under this name and the
        function's. Without a group every process hears every event while it lives, once.
    ordered: events of one document one after another, in the order of their transactions.
    retries: how often an event is tried again (`FRAMEWORK_M_EVENT_RETRIES`, 5).
    backoff: the wait before another attempt, as of jobs.
    concurrency: events handled at once per worker (`FRAMEWORK_M_EVENT_CONCURRENCY`, 100).
    exactly_once: the handler runs in one transaction, and what it saves, enqueues and publishes
        commits together with the note that the event was handled.

    Raises HandlerError for options that make no sense.
    """
    name = None if doctype is None else doctype if isinstance(doctype, str) else doctype.__name__
    mark = Mark(topic, name, group, ordered, retries, backoff, concurrency, exactly_once)

    def decorate(function: Callable[P, R]) -> EventHandler[P, R]:
        if isinstance(function, EventHandler):
            raise HandlerError(function.place, "has two @on: write two functions")
        handler = EventHandler(function, mark)
        _check(handler)
        return handler

    return decorate


def _check(handler: EventHandler[Any, Any]) -> None:
    mark = handler.mark
    try:
        checked_pattern(mark.topic)
    except TopicError as error:
        raise HandlerError(handler.place, str(error)) from error
    if mark.group is None:
        for option in ("ordered", "exactly_once", "retries", "backoff", "concurrency"):
            if getattr(mark, option):
                raise HandlerError(handler.place, f"{option} needs a group")
    elif not _GROUP.fullmatch(mark.group):
        raise HandlerError(handler.place, f"group {mark.group!r} is not made of A-Z a-z 0-9 _ -")
    if mark.retries is not None and mark.retries < 0:
        raise HandlerError(handler.place, "retries must be at least 0")
    if mark.concurrency is not None and mark.concurrency < 1:
        raise HandlerError(handler.place, "concurrency must be at least 1")
