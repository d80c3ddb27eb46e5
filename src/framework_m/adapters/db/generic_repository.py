"""GenericRepository: the Repository port on SQLAlchemy Core, for SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from framework_m.adapters.db import series, values
from framework_m.adapters.db.filters import Filters
from framework_m.adapters.db.pages import Ordering, checked_limit, checked_offset
from framework_m.adapters.db.refusals import (
    reading_errors,
    refused_delete,
    refused_write,
    writing_errors,
)
from framework_m.adapters.db.undo import restoring
from framework_m.core.doctypes.base import DocStatus, DocType, stored_values
from framework_m.core.doctypes.naming import FromField, Series, name_from
from framework_m.core.errors import (
    ConfigurationError,
    ConflictError,
    DocumentStateError,
    FieldError,
    InvalidDocumentError,
    NotFoundError,
)
from framework_m.core.identity import acting_user
from framework_m.core.interfaces.repository import PAGE, Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime

    from framework_m.adapters.db.binding import Binding
    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.db.hooks import Hooks
    from framework_m.adapters.db.unit_of_work import UnitOfWork, UnitsOfWork
    from framework_m.core.interfaces.filters import Filter

D = TypeVar("D", bound=DocType)

_NAMES_AT_ONCE = 1000
_KEPT = frozenset({"name", "owner", "creation", "version", "docstatus", "modified", "modified_by"})
"""Never set by an update just because the document has another value."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a repository works with."""

    database: Database
    units: UnitsOfWork
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class _Step:
    """One kind of update."""

    hooks: str
    participle: str
    before: DocStatus
    after: DocStatus


_SAVE = _Step("update", "saved", DocStatus.DRAFT, DocStatus.DRAFT)
_SUBMIT = _Step("submit", "submitted", DocStatus.DRAFT, DocStatus.SUBMITTED)
_CANCEL = _Step("cancel", "cancelled", DocStatus.SUBMITTED, DocStatus.CANCELLED)


class GenericRepository(Generic[D]):
    """Keeps the documents of one DocType in its table; see the port for its promises.

    unit: the transaction to work in; that of the context, or one for each call, if not given.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        binding: Binding[D],
        hooks: Hooks,
        unit: UnitOfWork | None = None,
    ) -> None:
        self._database = surroundings.database
        self._units = surroundings.units
        self._now = surroundings.now
        self._binding = binding
        self._hooks = hooks
        self._unit = unit
        self._table = binding.table
        self._columns = tuple(binding.table.c)
        self._filters = Filters(binding, is_postgresql=self._database.is_postgresql)

    async def get(self, name: str, *, for_update: bool = False) -> D:
        statement = select(*self._columns).where(self._table.c.name == self._known(name))
        if for_update:
            if self._joined() is None:
                raise ConfigurationError("for_update needs a transaction that lasts beyond it")
            statement = statement.with_for_update()
        rows = await self._fetch(statement)
        if not rows:
            raise NotFoundError(self._binding.name, name)
        return self._binding.load(rows[0])

    async def get_many(self, names: Iterable[str]) -> dict[str, D]:
        wanted = [name for name in dict.fromkeys(names) if _storable(name)]
        found: dict[str, D] = {}
        for start in range(0, len(wanted), _NAMES_AT_ONCE):
            some = wanted[start : start + _NAMES_AT_ONCE]
            rows = await self._fetch(select(*self._columns).where(self._table.c.name.in_(some)))
            found.update((row.name, self._binding.load(row)) for row in rows)
        return {name: found[name] for name in wanted if name in found}

    async def save(self, document: D) -> D:
        if document.version == 0:
            await self._insert([document])
            return document
        return await self._update(document, _SAVE)

    async def insert_many(self, documents: Iterable[D]) -> Sequence[D]:
        new = list(documents)
        for document in new:
            if document.version:
                error = FieldError("version", "must be 0: only new documents are inserted")
                raise InvalidDocumentError(self._binding.name, document.name, [error])
        if new:
            await self._insert(new)
        return new

    async def submit(self, document: D) -> D:
        self._require_submittable(document, "submitted")
        return await self._update(document, _SUBMIT)

    async def cancel(self, document: D) -> D:
        self._require_submittable(document, "cancelled")
        return await self._update(document, _CANCEL)

    async def delete(self, document: D | str) -> None:
        async with self._writing() as unit:
            if isinstance(document, str) and self._hooks.any_of("before_delete", "after_delete"):
                document = await self._in(unit).get(document, for_update=True)
            if isinstance(document, str):
                await self._delete(unit, self._known(document), None)
                return
            run = self._hooks.of(document, unit)
            await run("before_delete")
            await self._delete(unit, document.name, document.version)
            await run("after_delete")

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
            select(*self._columns)
            .where(self._filters.sql(where), self._filters.search(search), ordering.after(cursor))
            .order_by(*ordering.sql)
            .limit(limit + 1)  # one more tells whether there is a next page
        )
        skipped = checked_offset(offset, cursor)
        rows = await self._fetch(statement.offset(skipped) if skipped else statement)
        items = tuple(self._binding.load(row) for row in rows[:limit])
        return Page(items, ordering.cursor(items[-1]) if len(rows) > limit else None)

    async def count(self, where: Filter | None = None, *, search: str | None = None) -> int:
        matching = (self._filters.sql(where), self._filters.search(search))
        rows = await self._fetch(select(func.count()).select_from(self._table).where(*matching))
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

    async def _insert(self, documents: Sequence[D]) -> None:
        async with self._writing() as unit:
            runs = [self._hooks.of(document, unit) for document in documents]
            with restoring(documents, unit, runs):
                for run in runs:
                    await run("validate")
                    await run("before_insert")
                self._require_drafts(documents)
                await self._name(unit, documents)
                self._stamp_new(documents)
                rows = [self._binding.row(document) for document in documents]
                settled = [
                    self._binding.settled(document, row)
                    for document, row in zip(documents, rows, strict=True)
                ]
                await self._write(unit, insert(self._table), rows)
                for document, row, kept in zip(documents, rows, settled, strict=True):
                    self._binding.settle(document, row, kept)
                for run in runs:
                    await run("after_insert")

    async def _update(self, document: D, step: _Step) -> D:
        async with self._writing() as unit:
            run = self._hooks.of(document, unit)
            with restoring([document], unit, [run]):
                if document.docstatus is not step.before:
                    raise self._in_wrong_state(document, step)
                await run("validate")
                await run(f"before_{step.hooks}")
                self._require_same_name(document)
                version = document.version
                document.__dict__.update(
                    version=version + 1,
                    docstatus=step.after,
                    modified=self._now(),
                    modified_by=acting_user(),
                )
                row = self._binding.row(document)
                settled = self._binding.settled(document, row)
                changed = self._binding.changed(document, row)
                stamps = ("version", "docstatus", "modified", "modified_by")
                new = {field: row[field] for field in (*(changed - _KEPT), *stamps)}
                columns = self._table.c
                statement = (
                    update(self._table)
                    .where(
                        columns.name == document.name,
                        columns.version == version,
                        columns.docstatus == step.before.value,
                    )
                    .values(new)
                )
                written = await self._write(unit, statement, None, [row])
                if written.rowcount != 1:
                    raise await self._why_not(unit, document.name, version, step.participle)
                self._binding.settle(document, row, settled)
                run.tell_changed(changed - _KEPT)
                await run(f"after_{step.hooks}")
        return document

    async def _delete(self, unit: UnitOfWork, name: str, version: int | None) -> None:
        columns = self._table.c
        statement = delete(self._table).where(
            columns.name == name, columns.docstatus != DocStatus.SUBMITTED.value
        )
        if version is not None:
            statement = statement.where(columns.version == version)
        try:
            with writing_errors(self._binding.name, name):
                deleted = await unit.execute(statement)
        except IntegrityError as error:
            raise await refused_delete(error, self._binding, name, unit.connection) from error
        if deleted.rowcount != 1:
            raise await self._why_not(unit, name, version, "deleted")

    async def _write(
        self,
        unit: UnitOfWork,
        statement: Any,
        parameters: Sequence[dict[str, Any]] | None,
        rows: Sequence[dict[str, Any]] | None = None,
    ) -> Any:
        rows = rows or parameters or ()
        try:
            with writing_errors(self._binding.name, rows[0]["name"]):
                return await unit.execute(statement, parameters)
        except IntegrityError as error:
            raise await refused_write(error, self._binding, rows, unit.connection) from error

    async def _why_not(
        self, unit: UnitOfWork, name: str, version: int | None, participle: str
    ) -> Exception:
        """Why a statement found no row to change."""
        columns = self._table.c
        found = await unit.execute(
            select(columns.version, columns.docstatus).where(columns.name == name)
        )
        row = found.first()
        if row is None:
            return NotFoundError(self._binding.name, name)
        if version is not None and row.version != version:
            return ConflictError(self._binding.name, name, version, row.version)
        return DocumentStateError(self._binding.name, name, row.docstatus, participle)

    async def _name(self, unit: UnitOfWork, documents: Sequence[D]) -> None:
        rule = self._binding.meta.naming
        waiting: list[D] = []
        for document in documents:
            name = name_from(rule, document)
            if name is None:
                waiting.append(document)
            else:
                document.__dict__["name"] = name
        if not waiting or not isinstance(rule, Series):
            return
        now = self._now()
        templates = [values.text(rule.template(document, now)) for document in waiting]
        with writing_errors(self._binding.name, None):
            names = await series.names(
                unit, self._binding.name, templates, is_postgresql=self._database.is_postgresql
            )
        for document, name in zip(waiting, names, strict=True):
            document.__dict__["name"] = name

    def _stamp_new(self, documents: Sequence[D]) -> None:
        now, user = self._now(), acting_user()
        for document in documents:
            held = document.__dict__
            held.update(version=1, modified=now, modified_by=user)
            held["creation"] = held["creation"] or now
            held["owner"] = held["owner"] or user

    def _require_same_name(self, document: D) -> None:
        stored = stored_values(document)
        rule = self._binding.meta.naming
        errors = []
        if stored is not None and stored["name"] != document.name:
            errors.append(FieldError("name", f"cannot change; it was {stored['name']!r}"))
        if isinstance(rule, FromField) and str(getattr(document, rule.field)) != document.name:
            errors.append(FieldError(rule.field, "is the document's name and cannot change"))
        if errors:
            raise InvalidDocumentError(self._binding.name, document.name, errors)

    def _require_drafts(self, documents: Sequence[D]) -> None:
        for document in documents:
            if document.docstatus is not DocStatus.DRAFT:
                raise self._in_wrong_state(document, _SAVE)

    def _require_submittable(self, document: D, participle: str) -> None:
        if not self._binding.meta.submittable:
            raise DocumentStateError(
                self._binding.name, document.name, "of a type without Meta.submittable", participle
            )
        if document.version == 0:
            raise DocumentStateError(self._binding.name, document.name, "new", participle)

    def _in_wrong_state(self, document: D, step: _Step) -> DocumentStateError:
        status = document.docstatus.value
        return DocumentStateError(self._binding.name, document.name, status, step.participle)

    def _known(self, name: str) -> str:
        if not _storable(name):
            raise NotFoundError(self._binding.name, str(name))
        return name

    def _in(self, unit: UnitOfWork) -> GenericRepository[D]:
        surroundings = Surroundings(self._database, self._units, self._now)
        return GenericRepository(surroundings, self._binding, self._hooks, unit)

    def _joined(self) -> UnitOfWork | None:
        if self._unit is None:
            return self._units.current()
        if not self._unit.is_open:
            raise ConfigurationError("the transaction that this repository is of has ended")
        return self._unit

    async def _fetch(self, statement: Any) -> Sequence[Any]:
        unit = self._joined()
        with reading_errors(self._binding.name):
            if unit is not None:
                return list(await unit.execute(statement))
            async with self._database.read() as connection:
                return (await connection.execute(statement)).all()

    @contextlib.asynccontextmanager
    async def _writing(self) -> AsyncIterator[UnitOfWork]:
        unit = self._joined()
        if unit is not None:
            yield unit
            return
        async with self._units() as own:
            yield own


def _storable(name: object) -> bool:
    if not isinstance(name, str):
        return False
    try:
        values.text(name)
    except ValueError:
        return False
    return True
