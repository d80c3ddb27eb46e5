"""What the repository writes into new documents by itself: names and stamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework_m.adapters.db import series
from framework_m.adapters.db.refusals import writing_errors
from framework_m.core.doctypes.naming import Series, checked_name, name_from
from framework_m.core.identity import acting_user_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from framework_m.adapters.db.binding import Binding
    from framework_m.core.doctypes.base import DocType
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol


async def name_new(
    documents: Sequence[DocType],
    binding: Binding[Any],
    unit: UnitOfWorkProtocol,
    now: datetime,
    *,
    is_postgresql: bool,
) -> None:
    """Name them by the DocType's rule. Raises InvalidDocumentError."""
    rule = binding.meta.naming
    waiting: list[DocType] = []
    for document in documents:
        name = name_from(rule, document)
        if name is None:
            waiting.append(document)
        else:
            document.__dict__["name"] = name
    if not waiting or not isinstance(rule, Series):
        return
    templates = [checked_name(d, rule.template(d, now)) for d in waiting]
    with writing_errors(binding.name, None):
        names = await series.names(unit, binding.name, templates, is_postgresql=is_postgresql)
    for document, name in zip(waiting, names, strict=True):
        document.__dict__["name"] = checked_name(document, name)


def stamp_new(documents: Sequence[DocType], now: datetime) -> None:
    """Version and stamps. An owner and a creation that are there are kept, for imports."""
    user = acting_user_id()
    for document in documents:
        held = document.__dict__
        held.update(version=1, modified=now, modified_by=user)
        held["creation"] = held["creation"] or now
        held["owner"] = held["owner"] or user


def stamp_changed(document: DocType, now: datetime) -> None:
    document.__dict__.update(
        version=document.version + 1, modified=now, modified_by=acting_user_id()
    )
