"""Envelopes, topics and marks, without any bus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from framework_m import BaseEvent, DocCreated, EventContext, on
from framework_m.adapters.events import cloud_events
from framework_m.core.errors import HandlerError, UndecodableEventError
from framework_m.core.events.envelope import payload, read, unpacked, written
from framework_m.core.events.registry import HandlerRegistry
from framework_m.core.events.topics import matches

NO_SURROGATES = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(NO_SURROGATES, min_size=1, max_size=50)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(NO_SURROGATES),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(NO_SURROGATES), inner),
    max_leaves=10,
)


@given(doc_id=TEXTS, source=TEXTS, user=TEXTS, data=JSON)
def test_any_event_comes_back_from_a_row_and_from_a_message(
    doc_id: str, source: str, user: str, data: object
) -> None:
    event = BaseEvent(
        event_type="a.b", doctype="D", doc_id=doc_id, source=source, user_id=user, data=data
    )
    message = written(event)
    row = unpacked(message.event_id, message.topic, message.key, payload(message))
    assert row == message
    headers = cloud_events.headers_of(message)
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    arrived = cloud_events.message_of(headers, message.data.encode(), "a.b")
    assert read(arrived, BaseEvent) == read(row, BaseEvent) == event


def test_a_document_event_needs_its_document_only() -> None:
    event = DocCreated(doctype="Todo", doc_id="T-1")
    assert (event.event_type, event.data) == ("doc.created", {})
    with pytest.raises(ValidationError, match="doc_id"):
        DocCreated(doctype="Todo")  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        event.doc_id = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [("*", "a", True), ("*", "a.b", False), (">", "a.b.c", True), ("a.>", "a", False)],
)
def test_patterns(pattern: str, topic: str, expected: bool) -> None:
    assert matches(pattern, topic) is expected


def test_what_a_handler_does_not_take_is_undecodable() -> None:
    message = written(BaseEvent(event_type="x.y"))
    with pytest.raises(UndecodableEventError, match="doctype"):
        read(message, DocCreated)


def test_wrong_marks_are_refused_where_they_stand() -> None:
    def handler(event: BaseEvent) -> None: ...

    with pytest.raises(HandlerError, match="ordered needs a group"):
        on("a.b", ordered=True)(handler)
    with pytest.raises(HandlerError, match="a pattern is a topic"):
        on("a..b")(handler)
    with pytest.raises(HandlerError, match="is not made of"):
        on("a.b", group="a b")(handler)
    with pytest.raises(HandlerError, match="two functions"):
        on("a.c")(on("a.b")(handler))


def test_wrong_handlers_are_refused_when_they_are_found() -> None:
    registry = HandlerRegistry(default_retries=5, default_concurrency=10)

    @on("a.b")
    def takes_nothing() -> None: ...

    @on("a.b")
    def takes_text(event: str) -> None: ...

    @on("a.b", group="g")
    def twice(ctx: EventContext, event: DocCreated) -> None: ...

    def other(event: BaseEvent) -> None: ...

    other.__name__ = "twice"

    for wrong in (takes_nothing, takes_text):
        with pytest.raises(HandlerError):
            registry.add(wrong)
    registry.add(twice)
    with pytest.raises(HandlerError, match="has a handler of this name already"):
        registry.add(on("a.c", group="g")(other))
