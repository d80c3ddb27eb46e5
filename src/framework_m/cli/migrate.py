"""m migrate, m migrate:make: the database, brought to what the code says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import DONE, run, say, say_json
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json

if TYPE_CHECKING:
    from framework_m.app import FrameworkM

Message = Annotated[str, Parameter(name=["--message", "-m"], help="What changes, in a few words.")]


def migrate(*, as_json: Json = False, app: AppOption = None) -> int:
    """Bring the database's schema to this version: the framework's part, then the application's.

    Safe to run again, and many at once.
    """
    done = run(_migrate(load(app)))
    if as_json:
        say_json(asdict(done))
        return DONE
    say(_change("the schema", done.schema))
    if done.application is not None:
        say(_change("the application's schema", done.application))
    if done.outdated:
        say(_advice(done.outdated))
    return DONE


def migrate_make(*, message: Message, as_json: Json = False, app: AppOption = None) -> int:
    """Write a migration that makes the tables what the application's DocTypes say."""
    made = run(_make(load(app), message))
    if as_json:
        say_json({"file": None if made is None else str(made)})
    elif made is None:
        say("nothing to do: the tables are what the DocTypes say")
    else:
        say(f"{made}: read it, then run `m migrate`")
    return DONE


async def outdated(app: FrameworkM) -> str | None:
    """What to do about DocTypes whose tables are not as the code says; None if all are.

    Nothing is created unasked: what is not in a migration would be missing elsewhere.
    """
    names = await app.ports.migrations.outdated()
    return _advice(names) if names else None


def _advice(names: Sequence[str]) -> str:
    return (
        f"not in the database as in the code: {', '.join(names)}; "
        f"run `m migrate:make -m MESSAGE`, then `m migrate`"
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """Revisions of a schema; None: there was none."""

    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class _Migrated:
    schema: _Change
    application: _Change | None
    outdated: Sequence[str]
    """What still is not in the database as in the code."""


async def _migrate(app: FrameworkM) -> _Migrated:
    async with app:
        before, own_before = await _revisions(app)
        await app.migrate()
        after, own_after = await _revisions(app)
        return _Migrated(
            _Change(before, after),
            None if own_after is None else _Change(own_before, own_after),
            await app.ports.migrations.outdated(),
        )


async def _revisions(app: FrameworkM) -> tuple[str | None, str | None]:
    ours, _ = await app.ports.schema_revisions()
    return ours, await app.ports.migrations.current()


def _change(what: str, change: _Change) -> str:
    before = "" if change.before == change.after else f" (was: {change.before or 'none'})"
    return f"{what} is at {change.after}{before}"


async def _make(app: FrameworkM, message: str) -> Path | None:
    """The file that was written, as seen from here."""
    async with app:
        made = await app.ports.migrations.make(message)
    if made is None:
        return None
    return made.relative_to(Path.cwd()) if made.is_relative_to(Path.cwd()) else made
