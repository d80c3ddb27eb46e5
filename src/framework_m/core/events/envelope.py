"""The envelope: what every event has, and how it is written and read.

On the way an event is its attributes, all of them text, and `data`, JSON. Fields that a class adds
to BaseEvent travel inside `data`, so that a reader who does not know the class finds them there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from framework_m.core import clock
from framework_m.core.causes import current_cause
from framework_m.core.errors import FieldError, InvalidEventError, UndecodableEventError
from framework_m.core.events.topics import checked_topic, ordering_key
from framework_m.core.identity import acting_user_id
from framework_m.core.ids import uuid7
from framework_m.core.interfaces.event_bus import EventMessage

E = TypeVar("E", bound="BaseEvent")
M = TypeVar("M", bound=BaseModel)

LONGEST_KEY = 600
"""The names of a DocType and of a document, and more: what an index of any database takes."""

_Utc = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]


def _trace() -> str | None:
    return current_cause().trace_context


class BaseEvent(BaseModel):
    """A fact, in the past tense. Subclass it for events of your own:

        class InvoicePaid(BaseEvent):
            event_type: str = "invoice.paid"
            amount: Decimal

    It is published on the topic that its event_type names, unless another is given.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64"
    )

    id: str = Field(default_factory=uuid7, min_length=1, max_length=255)
    """Unique: the bus and `exactly_once` know an event again by it."""
    event_type: str = Field(min_length=1, max_length=200)
    timestamp: _Utc = Field(default_factory=clock.now)
    user_id: str | None = Field(default_factory=acting_user_id)
    """Who did it; None for the system."""
    source: str = ""
    """Which application it is from; `FRAMEWORK_M_EVENT_SOURCE` by default."""
    doctype: str | None = None
    doc_id: str | None = None
    """With doctype: the document it is about, whose events are kept in order."""
    data: Any = Field(default_factory=dict)
    """JSON."""
    trace_context: str | None = Field(default_factory=_trace)
    """A W3C traceparent."""


_ATTRIBUTES = tuple(name for name in BaseEvent.model_fields if name != "data")


@cache
def _own_fields(event_class: type[BaseEvent]) -> frozenset[str]:
    """What the class adds to BaseEvent."""
    return frozenset(event_class.model_fields) - frozenset(BaseEvent.model_fields)


def event_of(published: BaseModel, topic: str | None) -> BaseEvent:
    """The event; any other model becomes the data of one. Raises InvalidEventError."""
    if isinstance(published, BaseEvent):
        return published
    if not isinstance(published, BaseModel):
        raise InvalidEventError(type(published).__name__, [FieldError("*", "is no pydantic model")])
    if topic is None:
        wrong = FieldError("topic", "is needed for what is no BaseEvent")
        raise InvalidEventError(type(published).__name__, [wrong])
    return BaseEvent(event_type=topic, data=published)


def written(
    published: BaseModel,
    topic: str | None = None,
    *,
    source: str = "framework_m",
    is_known: bool = False,
) -> EventMessage:
    """The event as it travels, on its topic. Raises InvalidEventError, TopicError.

    What is written is read back, so that what no receiver could read is known here and now;
    unless the event is known to be right.
    """
    event = event_of(published, topic)
    message = EventMessage(
        event_id=event.id,
        topic=checked_topic(event.event_type if topic is None else topic),
        key=_checked_key(event),
        attributes=_attributes(event, source),
        data=_data(event),
    )
    if is_known:
        return message
    try:
        read(message, type(event))
    except UndecodableEventError as error:
        raise InvalidEventError(event.event_type, error.errors) from error
    return message


def read(message: EventMessage, event_class: type[E]) -> E:
    """The event, as this class has it. Raises UndecodableEventError."""
    own = _own_fields(event_class)
    try:
        text = _lifted(message, own) if own else payload(message)
        return event_class.model_validate_json(text)
    except ValidationError as error:
        raise UndecodableEventError(event_class.__name__, _problems(error)) from error
    except ValueError as error:
        raise UndecodableEventError(event_class.__name__, [FieldError("data", str(error))]) from (
            error
        )


def read_data(message: EventMessage, model: type[M]) -> M:
    """The event's data alone, as this model has it. Raises UndecodableEventError."""
    try:
        return model.model_validate_json(message.data)
    except ValidationError as error:
        raise UndecodableEventError(model.__name__, _problems(error)) from error


def payload(message: EventMessage) -> str:
    """The whole envelope as JSON text."""
    attributes = to_json(message.attributes).decode()
    return f'{attributes[:-1]},"data":{message.data}}}'


def unpacked(event_id: str, topic: str, key: str | None, text: str) -> EventMessage:
    """A message from what `payload` wrote."""
    # Inside a JSON string the quotes would have backslashes, so this is where data begins.
    attributes, _, data = text.partition(',"data":')
    return EventMessage(event_id, topic, key, from_json(f"{attributes}}}"), data[:-1])


def _attributes(event: BaseEvent, source: str) -> dict[str, str]:
    held = event.__dict__
    found = {name: held[name] for name in _ATTRIBUTES if held[name] is not None}
    found["timestamp"] = _rfc3339(held["timestamp"])
    found["source"] = held["source"] or source
    return found


def _rfc3339(moment: object) -> str:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InvalidEventError("event", [FieldError("timestamp", "is no aware datetime")])
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _checked_key(event: BaseEvent) -> str | None:
    key = ordering_key(event.doctype, event.doc_id)
    if key is not None and len(key) > LONGEST_KEY:
        wrong = FieldError("doc_id", f"doctype and doc_id have more than {LONGEST_KEY} characters")
        raise InvalidEventError(event.event_type, [wrong])
    return key


def _data(event: BaseEvent) -> str:
    own = _own_fields(type(event))
    try:
        if not own:
            return to_json(event.data, bytes_mode="base64", inf_nan_mode="strings").decode()
        added = event.model_dump(mode="json", include=set(own), warnings=False)
        return to_json({**_mapping(event, own), **added}).decode()
    except (PydanticSerializationError, UnicodeError, RecursionError) as error:
        raise InvalidEventError(event.event_type, [FieldError("data", str(error))]) from error


def _mapping(event: BaseEvent, own: frozenset[str]) -> dict[str, Any]:
    """Its data, beside which there is room for the fields that the class adds."""
    data = from_json(to_json(event.data, bytes_mode="base64", inf_nan_mode="strings"))
    if not isinstance(data, dict):
        wrong = "must be an object, because the event has fields of its own beside it"
        raise InvalidEventError(event.event_type, [FieldError("data", wrong)])
    taken = [FieldError(f"data.{name}", "is a field of the event itself") for name in own & {*data}]
    if taken:
        raise InvalidEventError(event.event_type, taken)
    return data


def _lifted(message: EventMessage, own: frozenset[str]) -> bytes:
    data = from_json(message.data)
    if not isinstance(data, dict):
        raise ValueError("is no object")  # noqa: TRY004 - of the data, not of our code
    lifted = {name: data.pop(name) for name in own if name in data}
    return to_json({**message.attributes, **lifted, "data": data})


def _problems(error: ValidationError) -> list[FieldError]:
    return [
        FieldError(".".join(str(part) for part in found["loc"]) or "*", str(found["msg"]))
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
