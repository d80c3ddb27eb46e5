"""Reading documents: the half of the repository that changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import func, select

from framework_m.adapters.db import values
from framework_m.adapters.db.filters import Filters
from framework_m.adapters.db.pages import Ordering, checked_limit, checked_offset
from framework_m.adapters.db.refusals import reading_errors
from framework_m.core.doctypes.base import DocType
from framework_m.core.errors import ConfigurationError, NotFoundError
from framework_m.core.interfaces.repository import PAGE, Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from framework_m.adapters.db.binding import Binding
    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.db.unit_of_work import UnitOfWork, UnitsOfWork
    from framework_m.core.interfaces.filters import Filter

D = TypeVar("D", bound=DocType)

_NAMES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a repository works with."""

    database: Database
    units: UnitsOfWork
    now: Callable[[], datetime]


class DocumentReader(Generic[D]):
    """Finds the documents of one DocType; see the Repository port."""

    def __init__(
        self, surroundings: Surroundings, binding: Binding[D], unit: UnitOfWork | None = None
    ) -> None:
        self._surroundings = surroundings
        self._database = surroundings.database
        self._binding = binding
        self._unit = unit
        self._table = binding.table
        self._filters = Filters(binding, is_postgresql=self._database.is_postgresql)

    @property
    def binding(self) -> Binding[D]:
        return self._binding

    async def get(self, name: str, *, for_update: bool = False) -> D:
        statement = self._binding.by_name
        if for_update:
            if self._joined() is None:
                raise ConfigurationError("for_update needs a transaction that lasts beyond it")
            statement = statement.with_for_update()
        rows = await self._fetch(statement, {"wanted": self._known(name)})
        if not rows:
            raise NotFoundError(self._binding.name, name)
        return self._binding.load(rows[0])

    async def get_many(self, names: Iterable[str]) -> dict[str, D]:
        wanted = [name for name in dict.fromkeys(names) if _storable(name)]
        found: dict[str, D] = {}
        for start in range(0, len(wanted), _NAMES_AT_ONCE):
            some = wanted[start : start + _NAMES_AT_ONCE]
            rows = await self._fetch(self._binding.all.where(self._table.c.name.in_(some)))
            found.update((row.name, self._binding.load(row)) for row in rows)
        return {name: found[name] for name in wanted if name in found}

    async def list(
        self,
        where: Filter | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] = ("name",),
        limit: int = PAGE,
        offset: int = 0,
        cursor: str | None = None,
    ) -> Page[D]:
        limit = checked_limit(limit)
        ordering = Ordering(self._binding, self._filters, order_by)
        statement = (
            self._binding.all.where(*self._matching(where, search))
            .where(*ordering.after(cursor))
            .order_by(*ordering.sql)
            .limit(limit + 1)  # one more tells whether there is a next page
        )
        skipped = checked_offset(offset, cursor)
        rows = await self._fetch(statement.offset(skipped) if skipped else statement)
        items = tuple(self._binding.load(row) for row in rows[:limit])
        return Page(items, ordering.cursor(items[-1]) if len(rows) > limit else None)

    async def count(self, where: Filter | None = None, *, search: str | None = None) -> int:
        counted = select(func.count()).select_from(self._table)
        rows = await self._fetch(counted.where(*self._matching(where, search)))
        return int(rows[0][0])

    async def exists(self, where: Filter | str) -> bool:
        if isinstance(where, str):
            if not _storable(where):
                return False
            matching = self._table.c.name == where
        else:
            matching = self._filters.sql(where)
        return bool(await self._fetch(select(self._table.c.name).where(matching).limit(1)))

    async def iterate(
        self,
        where: Filter | None = None,
        *,
        order_by: str | Sequence[str] = ("name",),
        batch: int = 500,
    ) -> AsyncIterator[D]:
        cursor: str | None = None
        while True:
            page = await self.list(where, order_by=order_by, limit=batch, cursor=cursor)
            for document in page:
                yield document
            cursor = page.next_cursor
            if cursor is None:
                return

    def _known(self, name: str) -> str:
        if not _storable(name):
            raise NotFoundError(self._binding.name, str(name))
        return name

    def _joined(self) -> UnitOfWork | None:
        if self._unit is None:
            return self._surroundings.units.current()
        if not self._unit.is_open:
            raise ConfigurationError("the transaction that this repository is of has ended")
        return self._unit

    def _matching(self, where: Filter | None, search: str | None) -> Sequence[ColumnElement[bool]]:
        found = [] if where is None else [self._filters.sql(where)]
        return found if search is None else [*found, self._filters.search(search)]

    async def _fetch(self, statement: Any, values: dict[str, Any] | None = None) -> Sequence[Any]:
        unit = self._joined()
        with reading_errors(self._binding.name):
            if unit is None:
                return await self._database.fetch(statement, values)
            found: Sequence[Any] = (await unit.execute(statement, values)).all()
            return found


def _storable(name: object) -> bool:
    if not isinstance(name, str):
        return False
    try:
        values.text(name)
    except ValueError:
        return False
    return True
