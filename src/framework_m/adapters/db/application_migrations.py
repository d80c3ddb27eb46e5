"""Migrations of the application's own DocTypes: revisions in its folder, made by comparison."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from framework_m.adapters.db import types
from framework_m.adapters.db.migrations import revision_in, scripts, taking_turns
from framework_m.core.doctypes.base import BASE_FIELDS
from framework_m.core.errors import DocTypeError, MigrationError, SchemaOutdatedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection

    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.db.tables import Tables

_NAMES = "%%(year)d%%(month).2d%%(day).2d_%%(rev)s_%%(slug)s"


class ApplicationMigrations:
    """The revisions of one application.

    folder: holds them; it is made with the first one.
    version_table: remembers in the database which have run.
    """

    def __init__(
        self, database: Database, tables: Tables, folder: Path, version_table: str
    ) -> None:
        self.folder = folder
        self._database = database
        self._tables = tables
        self._version_table = version_table
        self._own = [found for found in tables.doctypes if not found.is_built_in]
        self._built_in_tables = {found.meta.table for found in tables.doctypes if found.is_built_in}

    @cached_property
    def head(self) -> str | None:
        """The revision that this code needs; None if there are no revisions.

        Raises MigrationError.
        """
        if not self.folder.is_dir():
            return None
        with _told():
            return self._scripts().get_current_head()

    async def current(self) -> str | None:
        """The revision that the database is at. Raises UnavailableError."""
        async with self._database.read() as connection:
            return await connection.run_sync(self._current)

    async def upgrade(self) -> None:
        """Run what has not run yet, in one transaction. Raises MigrationError."""
        self.__dict__.pop("head", None)
        if self.head is None:
            return
        async with taking_turns(self._database) as connection:
            with _told():
                await connection.run_sync(self._upgrade)

    async def create_missing(self) -> None:
        """Make the tables that no revision has made yet: for tests, which keep no documents."""
        async with taking_turns(self._database) as connection:
            await connection.run_sync(self._tables.metadata.create_all)

    async def require_current(self) -> None:
        """Raises SchemaOutdatedError if the database is behind; ahead is fine."""
        if self.head is None:
            return
        found = await self.current()
        if found != self.head and (found is None or found in self._revisions):
            raise SchemaOutdatedError(found, self.head)

    async def outdated(self) -> list[str]:
        """The DocTypes whose tables are not as the code says. Raises UnavailableError."""
        if not self._own:
            return []
        async with self._database.read() as connection:
            differing = await connection.run_sync(self._differing)
        tables = {found.meta.table: found.name for found in self._own}
        return sorted(name for table, name in tables.items() if table in differing)

    async def make(self, message: str) -> Path | None:
        """Write a revision that makes the tables what the code says; None if they are.

        Raises MigrationError (the database is behind the revisions there are), DocTypeError (a
        table of that name exists and is somebody else's).
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        async with taking_turns(self._database) as connection:
            await connection.run_sync(self._require_own_tables)
            with _told():
                return await connection.run_sync(self._make, message)

    @cached_property
    def _revisions(self) -> frozenset[str]:
        return frozenset(script.revision for script in self._scripts().walk_revisions())

    def _scripts(self) -> ScriptDirectory:
        # Here and below: most processes migrate nothing, and Alembic takes long to import.
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        return ScriptDirectory.from_config(self._config())

    def _current(self, connection: Connection) -> str | None:
        return revision_in(connection, self._version_table)

    def _upgrade(self, connection: Connection) -> None:
        from alembic import command  # noqa: PLC0415

        command.upgrade(self._config(connection), "head")
        if connection.dialect.name == "sqlite":
            dead = connection.execute(text("PRAGMA foreign_key_check")).first()
            if dead is not None:
                raise MigrationError(f"the migrations leave links of {dead[0]} to what is gone")

    def _make(self, connection: Connection, message: str) -> Path | None:
        from alembic import command  # noqa: PLC0415

        made: list[Path] = []

        def keep_unless_empty(_: Any, __: Any, directives: list[Any]) -> None:
            if directives[0].upgrade_ops.is_empty():
                directives.clear()

        config = self._config(connection, process_revision_directives=keep_unless_empty)
        found = command.revision(config, message=message, autogenerate=True)
        for script in found if isinstance(found, list) else [found]:
            if script is not None:
                made.append(self.folder / script.path.rpartition("/")[2])
        return made[0] if made else None

    def _differing(self, connection: Connection) -> set[str]:
        from alembic.autogenerate import compare_metadata  # noqa: PLC0415
        from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

        context = MigrationContext.configure(connection, opts=self._options())
        return set(_tables_in(compare_metadata(context, self._tables.metadata)))

    def _require_own_tables(self, connection: Connection) -> None:
        inspector = inspect(connection)
        there = set(inspector.get_table_names())
        for found in self._own:
            table = found.meta.table
            if table in there:
                columns = {column["name"] for column in inspector.get_columns(table)}
                if not columns >= BASE_FIELDS:
                    raise DocTypeError(
                        found.name,
                        f"there is a table {table} already, which is not this DocType's: choose "
                        f"another name with Meta.table",
                    )

    def _config(self, connection: Connection | None = None, **options: Any) -> Config:
        from alembic.config import Config  # noqa: PLC0415

        config = Config(cmd_opts=Namespace(quiet=True))
        config.set_main_option("script_location", _escaped(scripts() / "application"))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", _escaped(self.folder))
        config.set_main_option("file_template", _NAMES)
        config.attributes["connection"] = connection
        config.attributes["options"] = {**self._options(), **options}
        return config

    def _options(self) -> dict[str, Any]:
        return {
            "target_metadata": self._tables.metadata,
            "version_table": self._version_table,
            "compare_type": True,
            "include_object": self._is_ours,
            "render_as_batch": True,
            "render_item": _rendered,
        }

    def _is_ours(
        self, _: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
    ) -> bool:
        """What is in the database and no DocType's is somebody else's: it is never dropped.

        The framework's own tables are for its own revisions to make and to change.
        """
        if kind != "table":
            return True
        return name not in self._built_in_tables and not (reflected and compare_to is None)


def _rendered(kind: str, item: Any, context: Any) -> Any:
    """Our column types, as revisions name them; everything else as Alembic does."""
    name = type(item).__name__
    if kind == "server_default" and isinstance(getattr(item, "arg", None), types.exact_default):
        context.imports.add("from framework_m.adapters.db import types as fm")
        return f"fm.exact_default({str(item.arg.number)!r})"
    if kind != "type" or name not in types.__all__:
        return False
    context.imports.add("from framework_m.adapters.db import types as fm")
    precision, scale = getattr(item, "precision", None), getattr(item, "scale", None)
    return f"fm.{name}({precision}, {scale})" if precision else f"fm.{name}()"


def _tables_in(differences: Any) -> Iterator[str]:
    for difference in differences:
        if isinstance(difference, list):  # of one table's columns
            yield from _tables_in(difference)
        elif difference[0].endswith("_table"):
            yield difference[1].name
        elif difference[0].endswith("_column") or difference[0].startswith("modify_"):
            yield difference[2]
        else:
            yield difference[1].table.name


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What Alembic or the database refuses, in our own terms."""
    from alembic.util import CommandError  # noqa: PLC0415

    try:
        yield
    except CommandError as error:
        told = str(error)
        if "not up to date" in told:
            told = "the database is behind the revisions there are: run `m migrate` first"
        raise MigrationError(told) from error
    except DBAPIError as error:
        if error.connection_invalidated or error.statement is None or "locked" in str(error.orig):
            raise
        statement = " ".join(str(error.statement).split())
        raise MigrationError(f"a revision failed: {error.orig} in {statement}") from error
