"""The standard events of documents, which every repository publishes."""

from __future__ import annotations

from framework_m.core.events.envelope import BaseEvent


class DocumentEvent(BaseEvent):
    """Something happened to one document. `data` has the fields of Meta.event_fields."""

    doctype: str
    doc_id: str


class DocCreated(DocumentEvent):
    """It was inserted."""

    event_type: str = "doc.created"


class DocUpdated(DocumentEvent):
    """It was saved again."""

    event_type: str = "doc.updated"
    changed: tuple[str, ...] = ()
    """The fields whose stored values changed, in the order of the alphabet."""


class DocDeleted(DocumentEvent):
    """It is gone."""

    event_type: str = "doc.deleted"


class DocSubmitted(DocumentEvent):
    """It was submitted, and does not change any more."""

    event_type: str = "doc.submitted"


class DocCancelled(DocumentEvent):
    """It was submitted, and was taken back."""

    event_type: str = "doc.cancelled"
