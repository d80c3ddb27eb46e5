"""The events of documents: what a repository publishes from inside its transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework_m.core.events.documents import (
    DocCancelled,
    DocCreated,
    DocDeleted,
    DocSubmitted,
    DocUpdated,
)
from framework_m.core.events.envelope import written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.adapters.db.binding import Binding
    from framework_m.core.doctypes.base import DocType
    from framework_m.core.events.documents import DocumentEvent
    from framework_m.core.events.service import Events
    from framework_m.core.interfaces.event_bus import EventMessage
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

_OF_STEP: dict[str, type[DocumentEvent]] = {"submit": DocSubmitted, "cancel": DocCancelled}


class DocumentEvents:
    """The events of one DocType; none where Meta.events is False. Secrets are never told."""

    def __init__(self, binding: Binding[Any], events: Events) -> None:
        self._events = events
        self._doctype = binding.name
        self._is_wanted = binding.meta.events
        self._told = tuple(
            name for name in binding.meta.event_fields if not binding.kinds[name].is_secret
        )

    async def created(self, unit: UnitOfWorkProtocol, documents: Sequence[DocType]) -> None:
        """All of them in one statement."""
        await self._publish(unit, [(DocCreated, document, {}) for document in documents])

    def creation(self, name: str, values: dict[str, Any]) -> EventMessage | None:
        """What `created` would publish, of a document that will hold these; None where silent."""
        if not self._is_wanted:
            return None
        data = {field: values[field] for field in self._told}
        return self._written(DocCreated(doctype=self._doctype, doc_id=name, data=data))

    def told(self, unit: UnitOfWorkProtocol, message: EventMessage, position: int) -> None:
        """It is in the outbox, where the document's own statement has put it."""
        self._events.appended(unit, message, position)

    async def changed(
        self, unit: UnitOfWorkProtocol, document: DocType, step: str, changed: frozenset[str]
    ) -> None:
        event = _OF_STEP.get(step)
        if event is not None:
            await self._publish(unit, [(event, document, {})])
            return
        await self._publish(unit, [(DocUpdated, document, {"changed": tuple(sorted(changed))})])

    async def deleted(self, unit: UnitOfWorkProtocol, document: DocType | str) -> None:
        """By name alone, nothing is known of its fields."""
        if not isinstance(document, str):
            await self._publish(unit, [(DocDeleted, document, {})])
        elif self._is_wanted:
            event = DocDeleted(doctype=self._doctype, doc_id=document)
            await self._events.publish_in(unit, event)

    async def _publish(
        self,
        unit: UnitOfWorkProtocol,
        happened: Sequence[tuple[type[DocumentEvent], DocType, dict[str, Any]]],
    ) -> None:
        if not self._is_wanted:
            return
        messages = [
            self._written(
                event(
                    doctype=self._doctype, doc_id=document.name, data=self._data(document), **more
                )
            )
            for event, document, more in happened
        ]
        await self._events.append(unit, messages)

    def _written(self, event: DocumentEvent) -> EventMessage:
        return written(event, source=self._events.source, is_known=True)

    def _data(self, document: DocType) -> dict[str, Any]:
        held = document.__dict__
        return {name: held[name] for name in self._told}
