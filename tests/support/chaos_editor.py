"""A process that edits schedules at random and journals what each said, from when to when.

    python -m tests.support.chaos_editor JOURNAL FIRST COUNT SECONDS SEED

Nobody else edits its schedules. `before` and `after` are the database's time before an edit's
transaction begins and after it has ended: its commit lies between.
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from framework_m.adapters.db.schema import statement_now
from framework_m.core.doctypes.scheduled_job import ScheduledJob
from framework_m.core.errors import ConflictError
from tests.support import jobs
from tests.support.application import app

CRONS = ("*/5 * * * * *", "*/10 * * * * *", "3/15 * * * * *", "1-59/7 * * * * *", "*/20 * * * * *")


_EDITS_A_SECOND = 50
"""At most."""


@dataclass(frozen=True)
class Said:
    """What a schedule says; `version` is its job's argument, and another after each edit."""

    name: str
    version: int = 0
    cron: str = CRONS[0]
    enabled: bool = False
    is_there: bool = False


@dataclass(frozen=True)
class Edit:
    before: datetime
    after: datetime
    said: Said


class Editor:
    def __init__(self, journal: Path, names: list[str], chance: random.Random) -> None:
        self._journal = journal
        self._said = {name: Said(name) for name in names}
        self._chance = chance
        self._version = 0

    async def edit_until(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            said = self._said[self._chance.choice(list(self._said))]
            await self._journaled(self._another(said))
            # Some of what a record says has to last for as long as it takes to be judged.
            await asyncio.sleep(self._chance.uniform(0, 2 / _EDITS_A_SECOND))
        for said in list(self._said.values()):
            if said.enabled:
                await self._journaled(replace(said, enabled=False))

    def _another(self, said: Said) -> Said:
        if not said.is_there:
            return replace(said, is_there=True, enabled=True, cron=self._chance.choice(CRONS))
        match self._chance.randrange(10):
            case 0:
                return replace(said, is_there=False, enabled=False)
            case 1 | 2 | 3:
                return replace(said, enabled=not said.enabled)
            case 4 | 5 | 6:
                return replace(said, cron=self._chance.choice(CRONS))
        return said

    async def _journaled(self, said: Said) -> None:
        self._version += 1
        said = replace(said, version=self._version)
        before = await _database_time()
        while True:
            try:
                await self._save(said)
                break
            except ConflictError:
                continue
        edit = Edit(before, await _database_time(), said)
        self._said[said.name] = said
        with self._journal.open("a") as file:
            file.write(json.dumps(asdict(edit), default=str) + "\n")

    async def _save(self, said: Said) -> None:
        """In one of the two ways that there are; both leave the same."""
        known = self._said[said.name]
        records = app.repository(ScheduledJob)
        if known.is_there and self._chance.random() < 0.5:
            record = await records.get(said.name)  # not locked: it may fire meanwhile
            if not said.is_there:
                await records.delete(record)
                return
            record.args = {"a": said.version}
            record.cron_expression, record.enabled = said.cron, said.enabled
            await records.save(record)
        elif said.is_there:
            await app.schedule(
                jobs.add,
                said.cron,
                name=said.name,
                enabled=said.enabled,
                catch_up="all",
                a=said.version,
            )
        else:
            await records.delete(await records.get(said.name))


async def _database_time() -> datetime:
    [[moment]] = await app.ports.database.fetch(select(statement_now()))
    found: datetime = moment
    return found


async def main(journal: str, first: str, count: str, seconds: str, seed: str) -> None:
    names = [f"s{n:03}" for n in range(int(first), int(first) + int(count))]
    async with app:
        editor = Editor(Path(journal), names, random.Random(seed))
        await editor.edit_until(time.monotonic() + float(seconds))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
