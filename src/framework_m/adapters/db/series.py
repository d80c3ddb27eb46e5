"""Naming series: numbers that are consecutive however many transactions take them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

from framework_m.adapters.db.schema import naming_series
from framework_m.core.doctypes.naming import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol


async def names(
    unit: UnitOfWorkProtocol, doctype: str, templates: Sequence[str], *, is_postgresql: bool
) -> list[str]:
    """A name for each template, in their order.

    The counter's row stays locked until the transaction ends: the next one to count waits and
    sees whether this one committed, so that a rollback leaves no gap.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, template in enumerate(templates):
        places[template].append(place)
    found = [""] * len(templates)
    for template in sorted(places):  # always in one order, so that no two wait for each other
        last = await _count(unit, f"{doctype}:{template}", len(places[template]), is_postgresql)
        first = last - len(places[template]) + 1
        for number, place in enumerate(places[template], start=first):
            found[place] = numbered(template, number)
    return found


async def _count(unit: UnitOfWorkProtocol, series: str, how_many: int, is_postgresql: bool) -> int:
    insert: Any = postgresql.insert if is_postgresql else sqlite.insert
    counted = insert(naming_series).values(series=series, value=how_many)
    statement = counted.on_conflict_do_update(
        index_elements=[naming_series.c.series],
        set_={"value": naming_series.c.value + counted.excluded.value},
    ).returning(naming_series.c.value)
    return int((await unit.execute(statement)).scalar_one())
