"""CloudEvents 1.0 in NATS messages: binary mode written, binary and structured mode read.

Binding: bindings/nats-protocol-binding.md of https://github.com/cloudevents/spec. Every attribute
is a header with `ce-` before its name, percent-encoded; the body is the data. What CloudEvents has
no attribute for travels as extensions: userid, doctype, docid, and traceparent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from pydantic_core import from_json, to_json

from framework_m.core.errors import FieldError, TopicError, UndecodableEventError
from framework_m.core.events.topics import checked_topic, ordering_key
from framework_m.core.interfaces.event_bus import EventMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {
    "id": "ce-id",
    "event_type": "ce-type",
    "timestamp": "ce-time",
    "source": "ce-source",
    "user_id": "ce-userid",
    "doctype": "ce-doctype",
    "doc_id": "ce-docid",
    "trace_context": "ce-traceparent",
}
_ATTRIBUTES = {header: name for name, header in _NAMES.items()}
_VERSION = "1.0"
_JSON = "application/json"
_STRUCTURED = "application/cloudevents"
# Printable ASCII but space, double quote and percent (HTTP binding, 3.1.3.2).
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_PLAIN = frozenset(_SAFE)


def headers_of(message: EventMessage) -> dict[str, str]:
    """The attributes of a message as headers."""
    headers = {"ce-specversion": _VERSION, "ce-datacontenttype": _JSON}
    for name, value in message.attributes.items():
        headers[_NAMES[name]] = value if _PLAIN.issuperset(value) else quote(value, safe=_SAFE)
    if message.key is not None:
        key = message.key
        headers["ce-subject"] = key if _PLAIN.issuperset(key) else quote(key, safe=_SAFE)
    return headers


def message_of(headers: Mapping[str, str] | None, data: bytes, topic: str) -> EventMessage:
    """The message that somebody published on this topic. Raises UndecodableEventError."""
    given = headers or {}
    try:
        if _header(given, "content-type").startswith(_STRUCTURED):
            attributes, body = _structured(data)
        else:
            attributes, body = _binary(given), _json(data, given)
        checked_topic(topic)
    except (ValueError, TopicError, RecursionError) as error:
        raise UndecodableEventError("CloudEvent", [FieldError("*", str(error))]) from error
    _require(attributes)
    key = ordering_key(attributes.get("doctype"), attributes.get("doc_id"))
    return EventMessage(attributes["id"], topic, key, attributes, body)


def _binary(headers: Mapping[str, str]) -> dict[str, str]:
    version = _header(headers, "ce-specversion")
    if version != _VERSION:
        raise ValueError(f"the header ce-specversion is {version!r}, not {_VERSION!r}")
    return {
        name: value if "%" not in value else unquote(value, errors="strict")
        for header, value in headers.items()
        if (name := _ATTRIBUTES.get(header) or _ATTRIBUTES.get(header.lower()))
    }


def _structured(data: bytes) -> tuple[dict[str, str], str]:
    envelope = from_json(data)
    if not isinstance(envelope, dict) or envelope.get("specversion") != _VERSION:
        raise ValueError("is no JSON object with specversion 1.0")
    attributes = {
        name: str(envelope[header.removeprefix("ce-")])
        for name, header in _NAMES.items()
        if envelope.get(header.removeprefix("ce-")) is not None
    }
    return attributes, to_json(envelope.get("data")).decode()


def _json(data: bytes, headers: Mapping[str, str]) -> str:
    kind = _header(headers, "ce-datacontenttype") or _JSON
    if "json" not in kind:
        raise ValueError(f"its data is {kind}, not JSON")
    if not data:
        return "null"
    from_json(data)
    return data.decode()


def _header(headers: Mapping[str, str], name: str) -> str:
    """NATS keeps the case of names as they were sent."""
    found = headers.get(name)
    if found is not None:
        return found
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _require(attributes: dict[str, str]) -> None:
    missing = [
        FieldError(name, "is missing")
        for name in ("id", "source", "event_type")
        if not attributes.get(name)
    ]
    if missing:
        raise UndecodableEventError("CloudEvent", missing)
