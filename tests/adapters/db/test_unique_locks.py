"""Unique locks against a model: at most one job per key, in the states that its function says."""

import asyncio
import contextlib
import contextvars
import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from framework_m import FrameworkM, JobStatus, Unique, job
from framework_m.adapters.db.schema import job_log
from framework_m.core.interfaces.job_store import Claim, ClaimTerms, FinishedRun
from framework_m.core.jobs.states import WAITING
from tests.support.harness import Harness

TERMS = ClaimTerms("w", ("default",), timedelta(seconds=60))
STEPS = 150
ENDS = (JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELLED)


@job(unique=True)
async def until_it_ends(key: int) -> None:
    """Never run here."""


@job(unique=Unique(states=WAITING))
async def until_it_starts(key: int) -> None:
    """Never run here."""


FUNCTIONS = ("until_it_ends", "until_it_starts")
Key = tuple[str, int]


class RolledBack(Exception):
    """Leaves a transaction."""


class Model:
    """Who has which key, and what runs."""

    def __init__(self, app: FrameworkM, chance: random.Random) -> None:
        self._app = app
        self._store = app.ports.job_store
        self._chance = chance
        self._keys: dict[str, Key] = {}
        self._running: dict[str, Claim] = {}
        self.holders: dict[Key, str] = {}

    async def ask(self) -> None:
        key = self._chance.choice(FUNCTIONS), self._chance.randrange(3)
        rolled_back = self._chance.random() < 0.2
        calls = [self._app.jobs.function(key[0]).call(key[1])] * self._chance.choice([1, 3])
        with contextlib.suppress(RolledBack):
            async with self._app.transaction():
                handles = await self._app.enqueue_many(calls)
                if rolled_back:
                    raise RolledBack
        [job_id] = set(handles)
        holder = self.holders.get(key)
        assert handles[0].existed == (holder is not None)
        assert holder in (None, job_id)
        if holder is None and not rolled_back:
            self._keys[job_id] = key
            self.holders[key] = job_id

    async def claim(self) -> None:
        for claim in await self._store.claim_due(TERMS, self._chance.choice([1, 2])):
            self._running[claim.job_id] = claim
            if claim.job_name == "until_it_starts":
                self._give_up(claim.job_id)

    async def finish(self) -> None:
        if not self._running:
            return
        claim = self._running.pop(self._chance.choice(sorted(self._running)))
        status = self._chance.choice([*ENDS, JobStatus.RETRYING, JobStatus.RETRYING])
        more: dict[str, Any] = {} if status.is_terminal else {"retry_after": timedelta()}
        await self._store.finish([FinishedRun(claim.job_id, claim.claim_no, status, **more)])
        if status.is_terminal:
            self._give_up(claim.job_id)

    def _give_up(self, job_id: str) -> None:
        if self.holders.get(self._keys[job_id]) == job_id:
            del self.holders[self._keys[job_id]]


@pytest.fixture(params=["sqlite", "postgresql"])
def harness(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("seed", range(2))
async def test_the_locks_are_those_of_the_model(harness: Harness, seed: int) -> None:
    chance = random.Random(seed)
    locked = select(job_log.c.name).where(job_log.c.unique_lock.is_not(None))
    async with harness.application([__name__]) as app:
        model = Model(app, chance)
        for step in range(STEPS):
            await chance.choice([model.ask, model.ask, model.claim, model.finish])()
            async with app.ports.database.read() as connection:
                found = set((await connection.execute(locked)).scalars())
            assert found == set(model.holders.values()), f"step {step}"


async def test_keys_are_locked_in_one_order_whenever_their_jobs_are_due(
    postgresql: Harness,
) -> None:
    function = until_it_ends
    late = function.options(delay=3600)
    lows, highs = range(100, 250), range(300, 450)
    async with postgresql.application([__name__]) as app:
        for shift in range(0, 5000, 1000):
            one = [function.call(shift), *(late.call(shift + n) for n in lows)]
            one += [function.call(shift + n) for n in highs]
            other = [function.call(shift + n) for n in lows]
            other += [late.call(shift + n) for n in highs]
            asked = [
                asyncio.get_running_loop().create_task(
                    app.enqueue_many(calls), context=contextvars.Context()
                )
                for calls in (one, other)
            ]
            first, second = await asyncio.gather(*asked)
            assert list(first[1:]) == list(second)
