"""m migrate, m migrate:make: the database, brought to what the code says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import DONE, run, say
from framework_m.cli.loading import AppOption, load

if TYPE_CHECKING:
    from framework_m.app import FrameworkM

Message = Annotated[str, Parameter(name=["--message", "-m"], help="What changes, in a few words.")]


def migrate(*, app: AppOption = None) -> int:
    """Bring the database's schema to this version: the framework's part, then the application's.

    Safe to run again, and many at once.
    """
    for line in run(_migrate(load(app))):
        say(line)
    return DONE


def migrate_make(*, message: Message, app: AppOption = None) -> int:
    """Write a migration that makes the tables what the application's DocTypes say."""
    say(run(_make(load(app), message)))
    return DONE


async def outdated(app: FrameworkM) -> str | None:
    """What to do about DocTypes whose tables are not as the code says; None if all are.

    Nothing is created unasked: what is not in a migration would be missing elsewhere.
    """
    names = await app.ports.migrations.outdated()
    if not names:
        return None
    return (
        f"not in the database as in the code: {', '.join(names)}; "
        f"run `m migrate:make -m MESSAGE`, then `m migrate`"
    )


async def _migrate(app: FrameworkM) -> list[str]:
    async with app:
        before, own_before = await _revisions(app)
        await app.migrate()
        after, own_after = await _revisions(app)
        told = await outdated(app)
    lines = [_change("the schema", before, after)]
    if own_after is not None:
        lines.append(_change("the application's schema", own_before, own_after))
    return lines if told is None else [*lines, told]


async def _revisions(app: FrameworkM) -> tuple[str | None, str | None]:
    ours, _ = await app.ports.schema_revisions()
    return ours, await app.ports.migrations.current()


def _change(what: str, before: str | None, after: str | None) -> str:
    return f"{what} is at {after}" + ("" if before == after else f" (was: {before or 'none'})")


async def _make(app: FrameworkM, message: str) -> str:
    async with app:
        made = await app.ports.migrations.make(message)
    if made is None:
        return "nothing to do: the tables are what the DocTypes say"
    shown = made.relative_to(Path.cwd()) if made.is_relative_to(Path.cwd()) else made
    return f"{shown}: read it, then run `m migrate`"
