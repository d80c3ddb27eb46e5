"""GenericRepository: the Repository port on SQLAlchemy Core, for SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from framework_m.adapters.db.document_reader import DocumentReader, Surroundings
from framework_m.adapters.db.event_outbox import told
from framework_m.adapters.db.refusals import (
    dead_links,
    links_to,
    refused_delete,
    refused_write,
    writing_errors,
)
from framework_m.adapters.db.stamps import name_new, stamp_changed, stamp_new
from framework_m.adapters.db.undo import restoring
from framework_m.core.doctypes.base import DocStatus, DocType, stored_values
from framework_m.core.doctypes.naming import FromField
from framework_m.core.errors import (
    ConflictError,
    DocumentStateError,
    FieldError,
    InvalidDocumentError,
    LinkError,
    NotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from sqlalchemy import Update

    from framework_m.adapters.db.binding import Binding
    from framework_m.adapters.db.document_events import DocumentEvents
    from framework_m.adapters.db.hooks import Hooks
    from framework_m.adapters.db.unit_of_work import UnitOfWork

D = TypeVar("D", bound=DocType)

_STAMPS = ("version", "docstatus", "modified", "modified_by")
_FROM_FIRST = ("owner", "creation")
_KEPT = frozenset({"name", *_FROM_FIRST, *_STAMPS})
"""Not the caller's to change."""


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


class GenericRepository(DocumentReader[D]):
    """Keeps the documents of one DocType in its table; see the port for its promises.

    unit: the transaction to work in; that of the context, or one for each call, if not given.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        binding: Binding[D],
        hooks: Hooks,
        events: DocumentEvents,
        unit: UnitOfWork | None = None,
    ) -> None:
        super().__init__(surroundings, binding, unit)
        self._hooks = hooks
        self._events = events

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
            if isinstance(document, str) and self._hooks.mind_deletions:
                document = await self._in(unit).get(document, for_update=True)
            if isinstance(document, str):
                await self._delete(unit, self._known(document), None)
                await self._events.deleted(unit, document)
                return
            run = self._hooks.of(document, unit)
            await run("before_delete")
            await self._delete(unit, document.name, document.version)
            await self._events.deleted(unit, document)
            await run("after_delete")

    async def _insert(self, documents: Sequence[D]) -> None:
        async with self._writing() as unit:
            runs = [self._hooks.of(document, unit) for document in documents]
            with restoring(documents, unit, runs):
                for run in runs:
                    await run("validate")
                    await run("before_insert")
                self._require_drafts(documents)
                now = self._surroundings.now()
                is_postgresql = self._database.is_postgresql
                await name_new(documents, self._binding, unit, now, is_postgresql=is_postgresql)
                stamp_new(documents, now)
                rows = [self._binding.row(document) for document in documents]
                settled = [
                    self._binding.settled(document, row)
                    for document, row in zip(documents, rows, strict=True)
                ]
                is_told = await self._write_told(unit, rows, settled)
                if not is_told:
                    await self._write(unit, self._binding.insert, rows)
                for document, row, kept in zip(documents, rows, settled, strict=True):
                    self._binding.settle(document, row, kept)
                if not is_told:
                    await self._events.created(unit, documents)
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
                document.__dict__["docstatus"] = step.after
                stamp_changed(document, self._surroundings.now())
                row = self._binding.row(document, unknown=_FROM_FIRST)
                settled = self._binding.settled(document, row)
                changed = self._binding.changed(document, row) - _KEPT
                statement = self._update_of(row, version, step, changed)
                written = (await self._write(unit, statement, None, [row])).first()
                if written is None:
                    raise await self._why_not(unit, document.name, version, step.participle)
                first = dict(zip(_FROM_FIRST, written, strict=True))
                self._binding.settle(document, {**row, **first}, {**settled, **first})
                run.tell_changed(changed)
                await self._events.changed(unit, document, step.hooks, changed)
                await run(f"after_{step.hooks}")
        return document

    def _update_of(
        self, row: dict[str, Any], version: int, step: _Step, changed: frozenset[str]
    ) -> Update:
        columns = self._table.c
        return (
            update(self._table)
            .where(
                columns.name == row["name"],
                columns.version == version,
                columns.docstatus == step.before.value,
            )
            .values({field: row[field] for field in (*changed, *_STAMPS)})
            .returning(*(columns[field] for field in _FROM_FIRST))
        )

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
        if not unit.enforces_links:
            self._require_none(unit, name, await links_to(self._binding, name, unit.connection))
        if deleted.rowcount != 1:
            raise await self._why_not(unit, name, version, "deleted")

    async def _write_told(
        self, unit: UnitOfWork, rows: Sequence[dict[str, Any]], settled: Sequence[dict[str, Any]]
    ) -> bool:
        """Insert a document together with its event, if that can be: it saves a round trip."""
        if len(rows) > 1 or not self._database.is_postgresql:
            return False
        message = self._events.creation(rows[0]["name"], settled[0])
        if message is None:
            return False
        values = told(rows[0], message)
        written = await self._write(unit, self._binding.insert_told, [values], rows)
        self._events.told(unit, message, written.scalar_one())
        return True

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
                written = await unit.execute(statement, parameters)
        except IntegrityError as error:
            raise await refused_write(error, self._binding, rows, unit.connection) from error
        if not unit.enforces_links:
            dead = await dead_links(self._table, rows, unit.connection)
            self._require_none(unit, str(rows[0]["name"]), dead)
        return written

    def _require_none(self, unit: UnitOfWork, name: str, errors: list[FieldError]) -> None:
        if errors:
            error = LinkError(self._binding.name, name, errors)
            unit.fail(error)
            raise error

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

    def _in(self, unit: UnitOfWork) -> GenericRepository[D]:
        return GenericRepository(self._surroundings, self._binding, self._hooks, self._events, unit)

    @contextlib.asynccontextmanager
    async def _writing(self) -> AsyncIterator[UnitOfWork]:
        unit = self._joined()
        if unit is not None:
            yield unit
            return
        async with self._surroundings.units() as own:
            yield own
