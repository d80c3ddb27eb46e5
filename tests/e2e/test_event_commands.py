"""Dead letters and live events, on the command line and over HTTP."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from framework_m import BaseEvent, FrameworkM
from tests.support.callers import CLERK, calling
from tests.support.command import Command, application
from tests.support.harness import JOBS, Harness, until

ROOT = Path(__file__).parents[2]
APP = "tests.support.event_application"


@pytest.fixture
async def app(sqlite: Harness) -> AsyncIterator[FrameworkM]:
    """With one dead letter."""
    app = sqlite.application(("tests.support.events", *JOBS))
    async with app:
        async with app.worker():
            await app.publish(BaseEvent(event_type="test.plain", data={"number": "x"}))
            await until(app.events.dead)
        yield app


@pytest.fixture
def m(sqlite: Harness, capfd: pytest.CaptureFixture[str]) -> Command:
    return application(capfd, sqlite.environment(), APP)


async def test_dead_letters_are_listed_and_redriven(m: Command, app: FrameworkM) -> None:
    listed = await m.aside("event:dead", "--json")
    [letter] = json.loads(listed.stdout)
    assert (letter["group"], letter["attempts"]) == ("typed-plain_function", 1)
    assert letter["event"]["data"] == {"number": "x"}
    assert "typed-plain_function" in (await m.aside("event:dead")).stdout
    again = await m.aside("event:dead", "--redrive", letter["id"])
    assert again.returncode == 0, again.stderr
    assert await app.events.dead() == []
    assert (await app.events.bus.lag())["typed-plain_function"] == 1
    unknown = await m.aside("event:dead", "--redrive", letter["id"])
    assert (unknown.returncode, unknown.stderr) == (
        1,
        f"m: no dead letter has the id '{letter['id']}'\n",
    )


async def test_groups_are_listed_and_forgotten(m: Command, app: FrameworkM) -> None:
    name = "typed-plain_function"
    listed = json.loads((await m.aside("event:groups", "--json")).stdout)
    assert {"group": name, "waiting": 0} in listed
    assert name in (await m.aside("event:groups")).stdout
    forgotten = await m.aside("event:groups", "--forget", name)
    assert (forgotten.returncode, name in forgotten.stdout) == (0, False)
    unknown = await m.aside("event:groups", "--forget", name)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "there is no group" in unknown.stderr


async def test_all_are_redriven_at_once(m: Command, app: FrameworkM) -> None:
    done = await m.aside("event:dead", "--all", "--json")
    assert json.loads(done.stdout) == {"redriven": 1}
    assert (await m.aside("event:dead", "--all", "--redrive", "x")).returncode == 2


async def test_dead_letters_over_http(app: FrameworkM) -> None:
    async with calling(app, CLERK) as clerk:
        assert (await clerk.get("/api/v1/dead-events")).status_code == 403
    async with calling(app) as client:
        page = (await client.get("/api/v1/dead-events")).json()
        [letter] = page["items"]
        assert page["next_cursor"] is None
        assert letter["error"].startswith("UndecodableEventError")
        path = f"/api/v1/dead-events/{letter['id']}/redrive"
        assert (await client.post(path, json={})).status_code == 202
        assert (await client.post(path, json={})).status_code == 404
        assert (await client.post("/api/v1/dead-events/x/redrive", json={})).status_code == 400
        assert (await client.get("/api/v1/dead-events")).json()["items"] == []


async def test_tail_follows_events_as_they_happen(sqlite: Harness, app: FrameworkM) -> None:
    tail = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "framework_m.cli.main", "event:tail", "tail.*"),
        *("--count", "1", "--json", "--app", f"{APP}:app"),
        cwd=ROOT,
        env={**os.environ, **sqlite.environment()},
        stdout=subprocess.PIPE,
    )

    async def shown() -> bool:
        # Live is live: what was published before it listened is not shown.
        await app.publish(BaseEvent(event_type="tail.a", data={"n": 1}))
        return tail.returncode is not None

    try:
        await until(shown)
        assert tail.stdout is not None
        line = json.loads(await tail.stdout.read())
    finally:
        if tail.returncode is None:
            tail.kill()
        await tail.wait()
    assert (line["topic"], line["data"], tail.returncode) == ("tail.a", {"n": 1}, 0)
