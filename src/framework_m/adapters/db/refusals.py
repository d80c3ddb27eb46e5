"""What the database refuses about documents, in our own terms."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from framework_m.core.errors import (
    DatabaseUnavailableError,
    DuplicateError,
    FieldError,
    InvalidDocumentError,
    LinkError,
    MissingTableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from framework_m.adapters.db.binding import Binding

_MISSING = re.compile(r"no such table|no such column|has no column named")
_MISSING_STATES = ("42P01", "42703")
_UNIQUE = re.compile(r"UNIQUE constraint failed: (.*)")


@contextlib.contextmanager
def reading_errors(doctype: str) -> Iterator[None]:
    """A missing table is said to be missing; a deadlock is worth another try."""
    try:
        yield
    except DatabaseUnavailableError as error:
        if _MISSING.search(str(error)):
            raise MissingTableError(doctype, _first_line(error.__cause__)) from error.__cause__
        raise
    except IntegrityError:
        raise
    except DBAPIError as error:
        state = _state(error)
        if state in _MISSING_STATES:
            raise MissingTableError(doctype, _first_line(error)) from error
        if state.startswith("40"):
            raise DatabaseUnavailableError(f"try again: {_first_line(error)}") from error
        raise


@contextlib.contextmanager
def writing_errors(doctype: str, name: str | None) -> Iterator[None]:
    """The same, and values that only the database itself finds wrong."""
    try:
        with reading_errors(doctype):
            yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise InvalidDocumentError(
            doctype, name, [FieldError("*", f"the database refuses it: {_first_line(error)}")]
        ) from error


async def refused_write(
    error: IntegrityError,
    binding: Binding[Any],
    rows: Sequence[dict[str, Any]],
    connection: AsyncConnection,
) -> Exception:
    """What an insert or an update of these rows did wrong."""
    only = str(rows[0]["name"]) if len(rows) == 1 else None
    fields = _duplicate_fields(error, binding.table)
    if fields is not None:
        return DuplicateError(binding.name, only, fields)
    constraint = _constraint_name(error)
    if constraint is None:
        errors = await dead_links(binding.table, rows, connection)
    else:
        errors = [
            FieldError(link.column_keys[0], f"links to no {_table_of(link).name}")
            for link in _links(binding.table)
            if link.name == constraint
        ]
    if errors:
        return LinkError(binding.name, only, errors)
    told = FieldError("*", f"the database refuses it: {_first_line(error)}")
    return InvalidDocumentError(binding.name, only, [told])


async def refused_delete(
    error: IntegrityError, binding: Binding[Any], name: str, connection: AsyncConnection
) -> Exception:
    """Which documents still link to the one that was to be deleted."""
    errors = await links_to(binding, name, connection, constraint=_constraint_name(error))
    return LinkError(binding.name, name, errors)


async def links_to(
    binding: Binding[Any],
    name: str,
    connection: AsyncConnection,
    *,
    constraint: str | None = None,
) -> list[FieldError]:
    """The fields that link to it: the constraint's, where one is named; else look."""
    errors = []
    for table in binding.table.metadata.sorted_tables:
        for link in _links(table):
            if _table_of(link) is not binding.table:
                continue
            found = link.name == constraint
            if constraint is None:
                column = table.c[link.column_keys[0]]
                rows = await connection.execute(select(column).where(column == name).limit(1))
                found = rows.first() is not None
            if found:
                told = f"{table.name}.{link.column_keys[0]} still links to it"
                errors.append(FieldError("name", told))
    return errors


def _duplicate_fields(error: IntegrityError, table: Table) -> tuple[str, ...] | None:
    found = _UNIQUE.search(str(error.orig))
    if found:  # SQLite: "UNIQUE constraint failed: invoice.a, invoice.b"
        return tuple(column.strip().rpartition(".")[2] for column in found[1].split(","))
    if _state(error) != "23505":
        return None
    constraint = _constraint_name(error)
    for known in table.constraints:
        if isinstance(known, UniqueConstraint) and known.name == constraint:
            return tuple(column.name for column in known.columns)
    return ("name",) if constraint == f"pk_{table.name}" else (str(constraint),)


async def dead_links(
    table: Table, rows: Sequence[dict[str, Any]], connection: AsyncConnection
) -> list[FieldError]:
    """Links to nothing. SQLite does not say which it refused, and its transaction goes on."""
    errors = []
    for link in _links(table):
        field, target = link.column_keys[0], _table_of(link)
        wanted = {row[field] for row in rows if row.get(field) is not None}
        found = await connection.execute(select(target.c.name).where(target.c.name.in_(wanted)))
        own = {row["name"] for row in rows} if target is table else set()
        for dead in sorted(wanted - set(found.scalars()) - own):
            errors.append(FieldError(field, f"links to no {target.name}: {dead!r}"))
    return errors


def _links(table: Table) -> list[ForeignKeyConstraint]:
    return [found for found in table.constraints if isinstance(found, ForeignKeyConstraint)]


def _table_of(link: ForeignKeyConstraint) -> Table:
    return link.elements[0].column.table


def _constraint_name(error: DBAPIError) -> str | None:
    found: str | None = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)
    return found


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _first_line(error: BaseException | None) -> str:
    cause = getattr(error, "orig", None) or error
    cause = getattr(cause, "__cause__", None) or cause
    return str(cause).strip().partition("\n")[0]
