"""m migrate: bring the database to this version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m.cli.console import DONE, run, say
from framework_m.cli.loading import AppOption, load

if TYPE_CHECKING:
    from framework_m.app import FrameworkM


def migrate(*, app: AppOption = None) -> int:
    """Bring the database's schema to this version. Safe to run again, and many at once."""
    say(run(_migrate(load(app))))
    return DONE


async def _migrate(app: FrameworkM) -> str:
    async with app:
        before, _ = await app.ports.schema_revisions()
        await app.migrate()
        after, _ = await app.ports.schema_revisions()
    return f"the schema is at {after}" + ("" if before == after else f" (was: {before or 'none'})")
