"""Sessions at a terminal, recorded: `transcript.txt` in the test's folder is to be read."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from framework_m import FrameworkM, Settings
from tests.support.session import let_pass, write_shop
from tests.support.shell import UUID, Shell

DATABASE = "framework_m.db"  # what the command takes by default
BEGINS = "it begins to wait"


@pytest.fixture
async def shop(tmp_path: Path) -> Path:
    """The application's folder, its database migrated."""
    write_shop(tmp_path)
    url = SecretStr(f"sqlite:///{tmp_path / DATABASE}")
    await FrameworkM(settings=Settings(database_url=url)).migrate()
    return tmp_path


@pytest.fixture
def worker(shop: Path) -> Iterator[Shell]:
    """The terminal where the worker runs."""
    with Shell(shop, FRAMEWORK_M_STOP_GRACE="30") as shell:
        yield shell
        (shop / "transcript-worker.txt").write_text(shell.transcript())


@pytest.fixture
def person(shop: Path) -> Iterator[Shell]:
    """The terminal of who asks for jobs."""
    with Shell(shop) as shell:
        yield shell
        (shop / "transcript.txt").write_text(shell.transcript())


def test_a_day_at_the_terminal(worker: Shell, person: Shell, shop: Path) -> None:
    job_id = is_told_that_nobody_works(person)
    worker.types("m worker")
    worker.sees("queues +default, reports")
    follows_it_with_a_bar(person, shop, job_id)
    fails_with_the_error(person)
    job_id = waits_no_longer(worker, person)
    cancels(person, job_id)
    again = retries(worker, person, job_id)
    lists_what_ran(person)
    stops_gracefully(worker, person, again)


def is_told_that_nobody_works(person: Shell) -> str:
    person.types("m job:run build_report --month 2026-11")
    job_id = person.sees(UUID)
    assert "no worker listens to the queue reports: start one with `m worker`" in person.ends()
    return job_id


def follows_it_with_a_bar(person: Shell, shop: Path, job_id: str) -> None:
    person.types(f"m job:status {job_id} --follow")
    person.sees("build_report .*(Queued|Running)")
    let_pass(shop, 1)
    person.sees("row 1 of 2026-11")
    person.sees("━.*Running +25 % +1 rows")
    let_pass(shop, 2)
    person.sees("row 2 of 2026-11")
    person.sees("━.*Running +50 % +2 rows")
    let_pass(shop, 3, 4)
    person.sees("row 4 of 2026-11")
    person.sees("Success +100 % +4 rows")
    person.ends()
    assert person.status() == 0


def fails_with_the_error(person: Shell) -> None:
    shown = person.runs("m job:run send_report --to ada --wait")
    assert re.search(f"m: job {UUID} ended Failed: ConnectionError: nobody listens at ada", shown)
    assert person.status() == 1


def waits_no_longer(worker: Shell, person: Shell) -> str:
    """Ctrl-C is about the waiting, not about the job."""
    person.types("m job:run never_ends --wait")
    worker.sees(BEGINS)
    person.ctrl_c()
    gone_on = re.search(f"m: job ({UUID}) goes on: m job:status {UUID} --follow", person.ends())
    assert gone_on
    assert person.status() == 130
    return gone_on[1]


def cancels(person: Shell, job_id: str) -> None:
    assert person.runs(f"m job:cancel {job_id}") == f"{job_id} is asked to stop"
    assert "ended Cancelled" in person.runs(f"m job:status {job_id} --follow")
    assert person.status() == 1


def retries(worker: Shell, person: Shell, job_id: str) -> str:
    again = person.runs(f"m job:retry {job_id}")
    assert re.fullmatch(UUID, again)
    assert again != job_id
    worker.sees(BEGINS)
    return again


def lists_what_ran(person: Shell) -> None:
    shown = person.runs("m job:list --runs")
    states = [line.split()[1:3] for line in shown.splitlines()]
    assert ["build_report", "Success"] in states
    assert ["send_report", "Failed"] in states
    assert ["never_ends", "Cancelled"] in states


def stops_gracefully(worker: Shell, person: Shell, running: str) -> None:
    """It waits for what runs; when that has ended, so has it."""
    worker.ctrl_c()
    worker.sees("1 jobs may end within the grace")
    person.runs(f"m job:cancel {running}")
    assert f"{running}: Cancelled" in worker.ends()
    assert worker.status() == 0


def test_ctrl_c_twice_ends_a_worker_at_once(worker: Shell, person: Shell) -> None:
    worker.types("m worker")
    job_id = re.findall(UUID, person.runs("m job:run never_ends"))[0]
    worker.sees(BEGINS)
    worker.ctrl_c()
    worker.sees("1 jobs may end within the grace")
    worker.ctrl_c()
    assert "stopped at once; what was running will be run again" in worker.ends()
    assert worker.status() == 1
    person.types(f"m job:status {job_id} --follow")
    person.sees("never_ends .*Running")
    person.ctrl_c()
    assert f"job {job_id} goes on without being watched" in person.ends()
    assert person.status() == 130
