"""m schedule:*, and the runs of a schedule in m job:list."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import nats
import pytest
from sqlalchemy import update

from framework_m import FrameworkM, Settings
from framework_m.adapters.db.schedule_schema import scheduled_job
from framework_m.cli.main import main
from framework_m.core.ids import is_uuid
from tests.support.harness import until
from tests.support.servers import NatsServer


class Said(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class M:
    """The command in this process, each time on an application that is anew."""

    def __init__(
        self,
        settings: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        self._settings = settings
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        monkeypatch.setenv("FRAMEWORK_M_APP", f"{__name__}:app")
        asyncio.run(self.application().migrate())

    def application(self) -> FrameworkM:
        return FrameworkM(["tests.support.scheduled_jobs"], settings=Settings(**self._settings))

    def __call__(self, *arguments: str) -> Said:
        self._monkeypatch.setattr(sys.modules[__name__], "app", self.application(), raising=False)
        status = main(arguments)
        return Said(status, *self._capfd.readouterr())

    def opened(self, work: Callable[[FrameworkM], Awaitable[object]]) -> None:
        """Do something in an application of its own, as another process would."""

        async def do() -> None:
            async with self.application() as app:
                await work(app)

        asyncio.run(do())

    def change(self, name: str, **columns: Any) -> None:
        """Let the record say something else, past all checks."""

        async def changed(app: FrameworkM) -> None:
            async with app.transaction() as tx:
                row = update(scheduled_job).where(scheduled_job.c.name == name)
                await tx.execute(row.values(columns))

        self.opened(changed)

    def get(self, name: str) -> dict[str, Any]:
        [found] = [it for it in self("schedule:list", "--json").json if it["name"] == name]
        return dict(found)


@pytest.fixture
def m(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> M:
    settings = {"database_url": f"sqlite:///{tmp_path / 'test.db'}"}
    return M(settings, monkeypatch, capfd)


async def declared(app: FrameworkM) -> None:
    await app.ports.upkeep.declare()


SAVE = ("schedule:save", "nightly", "report", "30 2 * * *")


def args_of(m: M, job_id: str) -> dict[str, Any]:
    return dict(m("job:status", job_id, "--json").json["args"])


def test_what_is_left_out_of_a_save_stays_as_it_is(m: M) -> None:
    made = m(*SAVE, "--timezone", "Asia/Tokyo", "--month", "11", "--rate", "2.50", "--queue=fast")
    assert made.out.startswith(
        "nightly is saved\n  runs report every day at 02:30, Asia/Tokyo\n  next 20"
    )
    assert "no worker listens to the queue fast" in made.err
    changed = m(*SAVE, "--month=12", "--overlap", "skip", "--end-date", "2000-01-01", "--disabled")
    assert (
        changed.out
        == "nightly is saved, and paused\n  runs report every day at 02:30, Asia/Tokyo\n"
    )
    assert changed.err == "", "nothing is to begin"
    run = m("schedule:run", "nightly", "--json").json
    job = m("job:status", run["job_id"], "--json").json
    assert job["args"] == {"month": "12", "rate": "2.50"}
    assert (job["queue"], job["schedule"], run["existed"]) == ("fast", "nightly", False)
    assert m(*SAVE, "--enabled").out.endswith("\n  next never\n"), "since 2000"
    back = m(*SAVE, "--queue", "none", "--end-date", "none", "--priority", "none", "--json")
    assert (back.json["enabled"], len(back.json["next_runs"])) == (True, 5)
    assert "queue reports" in back.err


def test_another_function_begins_with_arguments_of_its_own(m: M) -> None:
    m(*SAVE, "--month", "11")
    place = "tests.support.scheduled_jobs.bill"
    command = ("schedule:save", "nightly", place, "@daily")
    assert "--day is missing" in m(*command).err
    assert m(*command, "--day", "2026-11-25", "--json").json["function"] == "bill"
    assert args_of(m, m("schedule:run", "nightly").out.strip()) == {"day": "2026-11-25"}


def test_a_schedule_is_paused_resumed_and_deleted(m: M) -> None:
    m(*SAVE, "--month", "11")
    assert m("schedule:pause", "nightly").out == "nightly is paused\n"
    assert m("schedule:pause", "nightly", "--json").json["next_runs"] == []
    assert "nightly  paused" in m("schedule:list").out
    resumed = m("schedule:resume", "nightly").out
    assert resumed.startswith("nightly is enabled: next 20")
    assert resumed.endswith(" 02:30, UTC\n")
    assert m("schedule:resume", "nightly", "--json").json["enabled"] is True
    assert m("schedule:delete", "nightly").out == "nightly is deleted\n"
    m(*SAVE, "--month", "11")
    assert m("schedule:delete", "nightly", "--json").json == {"name": "nightly", "deleted": True}
    assert m("schedule:list", "--json").json == []


def test_runs_are_listed_by_schedule(m: M) -> None:
    m(*SAVE, "--month", "11")
    ids = [m("schedule:run", "nightly").out.strip() for _ in range(2)]
    assert all(is_uuid(job_id) for job_id in ids)
    m("job:run", "report", "--month", "10")
    listed = m("job:list", "--runs", "--schedule", "nightly", "--json").json
    assert {job["job_id"] for job in listed} == set(ids)
    assert m("job:list", "--runs", "--count", "--schedule", "other").out == "0\n"
    assert m("job:cancel", "--schedule", "nightly").out.startswith("2 of 2 jobs")


def test_the_history_is_told_page_by_page_and_waited_for(m: M) -> None:
    m("schedule:save", "often", "bill", "@every 1s", "--day", "2026-11-25", "--catch-up", "none")
    m.change("often", next_run=datetime.now(UTC) - timedelta(hours=1))
    waited = Said(-1, "", "")

    async def fired(app: FrameworkM) -> None:
        nonlocal waited
        async with app.worker():
            await until(lambda: shown(app))
            waited = await asyncio.to_thread(m, "schedule:run", "often", "--wait")

    async def shown(app: FrameworkM) -> bool:
        return len(await app.schedules.history("often")) > 2

    m.opened(fired)
    assert (waited.status, waited.out) == (0, "null\n")
    m("schedule:pause", "often")
    page = m("schedule:history", "often", "--limit", "2", "--json")
    assert len(page.json) == 2
    *_, option, place = page.err.split()
    rest = m("schedule:history", "often", option, place, "--limit", "1000", "--json")
    assert rest.err == ""
    times = [firing["due_at"] for firing in (*page.json, *rest.json)]
    assert times == sorted(set(times), reverse=True)
    assert rest.json[-1]["status"] == "Missed"
    told = m("schedule:history", "often").out
    assert "1000 or more due times until" in told


WRONG = [
    (("schedule:save", "x", "bil", "@daily"), "did you mean 'bill'?"),
    (("schedule:save", "x", "bill", "0 9 * *", "--day=2026-11-25"), "CRON: it has 4 fields"),
    (("schedule:save", "x", "bill", "0", "9", "*"), "'9': write CRON in quotes"),
    (("schedule:save", "x", "bill", "@daily", "--day", "soon"), "--day (expected: date)"),
    (("schedule:save", "x", "bill", "@daily", "--dya", "1"), "did you mean --day?"),
    ((*SAVE, "--month", "1", "--timezone", "Mars"), "--timezone: 'Mars' is not a time zone"),
    ((*SAVE, "--month", "1", "--queue", "a b"), "--queue: a queue's name is"),
    ((*SAVE, "--month", "1", "--priority", "7"), '"7" for --priority'),
    ((*SAVE, "--month", "1", "--overlap", "perhaps"), '"perhaps" for --overlap'),
    ((*SAVE, "--month", "1", "--jitter", "-1"), "--jitter: "),
    ((*SAVE, "--month", "1", "--catch-up-window", "nan"), "--catch-up-window: "),
    ((*SAVE, "--month", "1", "--end-date", "soon"), "--end-date soon: write it as"),
    (
        (*SAVE, "--month", "1", "--start-date", "2027-01-02", "--end-date", "2027-01-01"),
        "--end-date: is before start_date",
    ),
    (("schedule:save", " ", "bill", "@daily"), "NAME: must be"),
    (("schedule:save", "a/b", "bill", "@daily"), "NAME: must be"),
    (("schedule:run", "x", "--timeout", "1"), "use both"),
    (("schedule:history", "x", "--limit", "0"), "--limit must be"),
    (("schedule:history", "x", "--before", "soon"), "--before soon"),
]


def test_wrong_usage_is_exit_status_2_and_does_nothing(m: M) -> None:
    for arguments, told in WRONG:
        said = m(*arguments)
        assert (said.status, said.out, len(said.err.splitlines())) == (2, "", 1), said
        assert told in said.err, arguments
    assert m("schedule:list", "--json").json == []


def test_a_name_that_is_none_is_told_with_the_nearest(m: M) -> None:
    m(*SAVE, "--month", "11")
    for command in ("run", "pause", "resume", "delete", "history"):
        said = m(f"schedule:{command}", "nigthly")
        assert (said.status, said.out) == (1, "")
        assert said.err == "m: no schedule is named 'nigthly'; did you mean 'nightly'?\n"


def test_what_code_declares_is_not_changed_here(m: M) -> None:
    absent = m("schedule:list")
    assert absent.err.startswith("m: declared in code, and there once a worker or the web")
    assert absent.err.endswith(": clean_up, framework_m.prune_jobs, nine\n")
    early = m("schedule:pause", "nine")
    assert (early.status, "and there once a worker" in early.err) == (1, True)
    command = ("schedule:save", "nine", "bill", "@daily", "--day", "2026-11-25")
    assert m(*command).status == 1, "nor is it made before it is there"
    m.opened(declared)
    assert m("schedule:list").err == ""
    for refused in (m(*command), m("schedule:delete", "nine")):
        assert (refused.status, refused.out) == (1, "")
        assert "is declared in tests.support.scheduled_jobs: change it there" in refused.err
        assert "m schedule:pause" in refused.err
    assert m("schedule:pause", "nine").status == 0
    assert m.get("nine")["enabled"] is False
    assert m.get("nine")["function"] == "report"


def test_a_schedule_whose_function_is_gone_is_listed_and_can_be_paused(m: M) -> None:
    m(*SAVE, "--month", "11")
    m.change("nightly", function="gone")
    assert "runs gone every day" in m("schedule:list").out
    assert m("schedule:run", "nightly").err == "m: no job function is named 'gone'\n"
    assert m("schedule:pause", "nightly").out == "nightly is paused\n"
    refused = m("schedule:resume", "nightly")
    assert (refused.status, "no job function is named 'gone'" in refused.err) == (1, True)
    assert m("schedule:delete", "nightly").status == 0


def test_on_nats_the_command_itself_puts_the_next_due_time_in_place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    nats_server: NatsServer,
    nats_prefix: str,
) -> None:
    url, subject = nats_server.url, f"{nats_prefix}.schedules.at.>"
    settings = {"database_url": f"sqlite:///{tmp_path / 'test.db'}", "nats_url": url}
    m = M({**settings, "nats_prefix": nats_prefix}, monkeypatch, capfd)

    async def asked() -> list[str]:
        client = await nats.connect(url)
        stream = await client.jetstream().find_stream_name_by_subject(subject)
        info = await client.jetstream().stream_info(stream, subjects_filter=subject)
        found = [
            await client.jetstream().get_last_msg(stream, name)
            for name in info.state.subjects or ()
        ]
        await client.close()
        return [str((message.headers or {})["Nats-Schedule"]) for message in found]

    def waiting() -> list[str]:
        return asyncio.run(asked())

    saved = m(*SAVE, "--month", "11", "--json").json
    assert waiting() == [f"@at {saved['next_runs'][0]}"]
    changed = m("schedule:save", "nightly", "report", "@yearly", "--json").json
    assert waiting() == [f"@at {changed['next_runs'][0]}"]
    m("schedule:pause", "nightly")
    assert waiting() == []
    m("schedule:resume", "nightly")
    assert len(waiting()) == 1
    m("schedule:delete", "nightly")
    assert waiting() == []
