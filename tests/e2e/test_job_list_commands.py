"""m job:list --runs, and m job:cancel, job:retry and job:delete of many jobs."""

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

from framework_m import FrameworkM, JobStatus, Settings
from framework_m.cli.main import main
from tests.support import jobs
from tests.support.harness import Harness


class Said(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


M = Callable[..., Said]


@pytest.fixture
def m(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> M:
    """The command in this process, on an application of three jobs and one of another queue."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    monkeypatch.setenv("FRAMEWORK_M_APP", f"{__name__}:app")
    asyncio.run(prepared(url, tmp_path))

    def command(*arguments: str) -> Said:
        monkeypatch.setattr(sys.modules[__name__], "app", application(url), raising=False)
        status = main(arguments)
        shown = capfd.readouterr()
        return Said(status, shown.out, shown.err)

    return command


def application(url: str) -> FrameworkM:
    return FrameworkM(["tests.support.jobs"], settings=Settings(database_url=SecretStr(url)))


async def prepared(url: str, folder: Path) -> None:
    async with Harness.opened({"database_url": url}, folder) as harness:
        made = [await jobs.add.options(tags=["t"]).enqueue(n) for n in range(3)]
        await jobs.on_another_queue.enqueue()
        await harness.change(made[0], enqueued_at=datetime.now(UTC) - timedelta(days=2))


def listed(m: M, *filters: str) -> int:
    return len(m("job:list", "--runs", "--json", *filters).json)


def test_runs_are_listed_by_any_filter(m: M) -> None:
    for filters, count in (
        ((), 4),
        (("--status", "queued"), 4),
        (("--name", "add", "--queue=default", "--tag", "t"), 3),
        (("--user", "ada"), 0),
        (("--since", "1h"), 3),
        (("--until", "1d", "--name", "add"), 1),
        (("--since", "2000-01-01", "--until", "2000-01-02T00:00+01:00"), 0),
    ):
        assert listed(m, *filters) == count, filters
        assert m("job:list", "--runs", "--count", *filters).out == f"{count}\n"
    counted = m("job:list", "--runs", "--count", "--json").json
    assert counted == {"count": 4, "is_exact": True}


def test_runs_are_listed_page_by_page(m: M) -> None:
    first = m("job:list", "--runs", "--limit", "3", "--json")
    told, cursor = first.err.rsplit(maxsplit=1)
    assert told == "m: there are more: --cursor"
    rest = m("job:list", "--runs", "--limit", "3", "--json", "--cursor", cursor)
    assert rest.err == ""
    ids = {job["job_id"] for job in (*first.json, *rest.json)}
    assert (len(first.json), len(rest.json), len(ids)) == (3, 1, 4)


def test_a_name_that_is_none_is_hinted_at_where_nothing_was_found(m: M) -> None:
    for command in (("job:list", "--runs"), ("job:cancel",)):
        said = m(*command, "--name", "ad")
        assert said.status == 0
        assert said.err == "m: no job function is named 'ad'; did you mean 'add'?\n"
    assert m("job:list", "--runs", "--name", "boom").err == ""


WRONG = [
    ("job:list", "--runs", "--status", "asleep"),
    ("job:list", "--runs", "--since", "soon"),
    ("job:list", "--runs", "--until", ""),
    ("job:list", "--runs", "--since", "99999999999d"),
    ("job:list", "--runs", "--cursor", "nonsense"),
    ("job:list", "--runs", "--limit", "0"),
    ("job:list", "--runs", "--limit", "99999999999"),
    ("job:list", "--name", "add"),
    ("job:cancel",),
    ("job:retry", "--json"),
    ("job:delete",),
    ("job:delete", "nonsense"),
    ("job:delete", "01a2122d-fb66-7000-8f93-fa29e67509dc", "--all"),
]


def test_wrong_usage_is_exit_status_2_and_does_nothing(m: M) -> None:
    for arguments in WRONG:
        said = m(*arguments)
        assert (said.status, said.out, len(said.err.splitlines())) == (2, "", 1), arguments
    assert listed(m, "--status", "Queued") == 4


def test_all_jobs_that_fit_are_cancelled_run_again_and_deleted(m: M) -> None:
    assert m("job:cancel", "--name", "add").out == "3 of 3 jobs: cancelled, or asked to stop\n"
    again = {"matched": 3, "done": 3, "refused": []}
    assert m("job:retry", "--status", "cancelled", "--json").json == again
    assert m("job:retry", "--status", "cancelled").out == "0 of 0 jobs: asked for again\n"
    assert listed(m, "--status", JobStatus.QUEUED) == 4
    assert m("job:delete", "--name", "add", "--until", "1d").out == "1 of 1 jobs: deleted\n"
    assert m("job:delete", "--all").out == "6 of 6 jobs: deleted\n"
    assert listed(m) == 0


def test_jobs_are_deleted_and_run_again_by_their_ids(m: M) -> None:
    ids = [job["job_id"] for job in m("job:list", "--runs", "--json", "--name", "add").json]
    m("job:cancel", *ids[:2])
    again = m("job:retry", *ids, "--json")
    assert again.status == 1
    assert [it["retry_of"] for it in again.json] == ids[:2]
    assert "has not ended yet" in again.err
    gone = m("job:delete", ids[0], ids[0])
    assert (gone.status, gone.out) == (1, f"{ids[0]} is deleted\n")
    assert "no job has the id" in gone.err


def test_what_cannot_be_run_again_is_told(m: M, tmp_path: Path) -> None:
    async def misfit() -> None:
        url = f"sqlite:///{tmp_path / 'jobs.db'}"
        async with Harness.opened({"database_url": url}, tmp_path) as harness:
            [job, *_] = await harness.app.jobs.list(job_name="add")
            await harness.change(job.job_id, args="{}")

    asyncio.run(misfit())
    m("job:cancel", "--all")
    said = m("job:retry", "--all", "--json")
    assert (said.status, said.json["matched"], said.json["done"]) == (1, 4, 3)
    [refused] = said.json["refused"]
    assert refused["reason"] in said.err
