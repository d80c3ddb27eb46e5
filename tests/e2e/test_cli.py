"""The command `m`: in this process, and as one where it is the process that is looked at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from framework_m.cli.main import main
from framework_m.core.ids import uuid7
from tests.support.command import Command, Done, Run
from tests.support.processes import M, bare_environment
from tests.support.servers import NatsServer

JOBS = """
from datetime import date
from decimal import Decimal
from framework_m import JobContext, job

@job
async def add(ctx: JobContext, a: int, b: Decimal = Decimal(1), when: date | None = None,
              tags: list[str] | None = None) -> str:
    await ctx.progress(1, total=2, message="half")
    return f"{a} {b} {when} {tags}"

@job(retries=0, queue="other")
def boom(text: str) -> None:
    raise ValueError(text)
"""
APP = 'from framework_m import FrameworkM\napp = FrameworkM(["shop.jobs"])\nother = 1\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "jobs.py").write_text(JOBS)
    (tmp_path / "shop" / "app.py").write_text(APP)
    (tmp_path / "pyproject.toml").write_text('[tool.framework_m]\napp = "shop.app:app"\n')
    return tmp_path


@pytest.fixture
def m(folder: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """In the application's folder, with nothing in its environment but what is given."""
    return Command(capfd, bare_environment(), folder)


@pytest.fixture
def process(folder: Path) -> Run:
    """The same as a process."""

    def run(*arguments: str, **environment: str) -> Done:
        return subprocess.run(
            [*M, *arguments],
            cwd=folder,
            env=bare_environment(**environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def migrated(m: Run) -> Run:
    assert m("migrate").returncode == 0
    return m


def refused(shown: Done, status: int) -> str:
    """The one line on stderr of a command that ended like that."""
    assert shown.returncode == status, shown.stdout + shown.stderr
    [line] = shown.stderr.splitlines()
    assert line.startswith("m: ")
    return line.removeprefix("m: ")


def test_help_lists_the_commands(process: Run) -> None:
    shown = process("--help")
    assert shown.returncode == 0
    for command in ("dev", "web", "worker", "migrate", "job:list", "job:run", "job:status"):
        assert command in shown.stdout


def test_the_application_may_be_named_in_three_ways(m: Run, folder: Path) -> None:
    assert "shop.app:app" in m("info").stdout
    (folder / "pyproject.toml").unlink()
    assert m("info", FRAMEWORK_M_APP="shop.app:app").returncode == 0
    assert m("info", "--app", "shop.app:app").returncode == 0
    assert "which application?" in refused(m("info"), 2)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("nowhere:app", "No module named 'nowhere'"),
        ("shop.app:nothing", "shop.app has no 'nothing'"),
        ("shop.app:other", "'other' is not a FrameworkM application"),
        ("shop.app", "write it as package.module:name"),
        ("shop.broken:app", "ZeroDivisionError"),
    ],
)
def test_an_application_that_cannot_be_loaded_is_one_clear_line(
    m: Run, folder: Path, path: str, problem: str
) -> None:
    (folder / "shop" / "broken.py").write_text("1 / 0")
    for command in ("worker", "web", "dev", "info", "job:list"):
        assert problem in refused(m(command, "--app", path), 2)


def test_a_duplicate_job_name_fails_the_start_with_both_places(m: Run, folder: Path) -> None:
    (folder / "shop" / "app.py").write_text(APP.replace("shop.jobs", "shop"))
    (folder / "shop" / "more.py").write_text(JOBS)
    line = refused(m("worker"), 2)
    assert "shop.jobs:add" in line
    assert "shop.more:add" in line


def test_wrong_settings_are_named(m: Run) -> None:
    assert "FRAMEWORK_M_LEASE: Input" in refused(m("info", FRAMEWORK_M_LEASE="soon"), 2)
    line = refused(m("info", DATABASE_URL="mysql://u:hunter2@h/d"), 2)
    assert "mysql is not supported" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("worker", "--concurrency", "0"), ("worker", "--nope"), ("job:status", "x")],
)
def test_wrong_usage_is_exit_status_2(m: Run, arguments: tuple[str, ...]) -> None:
    refused(m(*arguments), 2)


def test_a_missing_database_is_one_line(m: Run) -> None:
    away = "postgresql://user:hunter2@127.0.0.1:1/db"
    for command in (["migrate"], ["job:run", "add", "--a", "1"], ["job:list", "--runs"]):
        line = refused(m(*command, DATABASE_URL=away), 1)
        assert "the database is not available" in line
        assert "hunter2" not in line


def test_a_database_without_a_schema_says_what_to_do(m: Run) -> None:
    assert "run `m migrate`" in refused(m("job:run", "add", "--a", "1"), 1)


def test_migrating_twice_is_harmless(m: Run) -> None:
    assert "the schema is at" in m("migrate").stdout
    again = json.loads(m("migrate", "--json").stdout)
    assert again["schema"]["before"] == again["schema"]["after"]
    assert (again["application"], again["outdated"]) == (None, [])


def test_job_functions_are_listed(m: Run) -> None:
    listed = json.loads(m("job:list", "--json").stdout)
    assert [(job["name"], job["queue"]) for job in listed] == [
        ("add", "default"),
        ("boom", "other"),
        ("framework_m.prune_jobs", "default"),
    ]
    assert "shop.jobs:boom" in m("job:list").stdout


def test_a_job_is_cancelled_and_run_again(migrated: Run) -> None:
    job_id = migrated(
        "job:run", "add", "--a", "1", "--b=2.50", "--when", "2026-11-24"
    ).stdout.strip()
    assert "has not ended yet" in refused(migrated("job:retry", job_id), 1)
    assert migrated("job:cancel", job_id).stdout == f"{job_id} is cancelled\n"
    assert "has already ended: Cancelled" in refused(migrated("job:cancel", job_id), 1)
    again = json.loads(migrated("job:retry", job_id, "--json").stdout)
    assert again["retry_of"] == job_id
    both = migrated("job:cancel", again["job_id"], job_id, "--json")
    assert json.loads(both.stdout) == [{"job_id": again["job_id"], "status": "Cancelled"}]
    assert both.returncode == 1
    refused(migrated("job:cancel", "x"), 2)
    refused(migrated("job:cancel"), 2)


def test_a_job_is_enqueued_and_looked_at(migrated: Run) -> None:
    ran = migrated("job:run", "add", "--a", "1", "--b=2.50", "--when", "2026-11-24")
    job_id = ran.stdout.strip()
    shown = json.loads(migrated("job:status", job_id, "--json").stdout)
    assert shown["args"] == {"a": 1, "b": "2.50", "when": "2026-11-24"}
    assert shown["status"] == "Queued"
    assert job_id in migrated("job:list", "--runs", "--status", "queued").stdout
    assert json.loads(migrated("job:list", "--runs", "--status", "failed", "--json").stdout) == []


def test_wrong_arguments_enqueue_nothing(migrated: Run) -> None:
    assert "did you mean 'add'" in refused(migrated("job:run", "ad", "--a", "1"), 2)
    assert "--a is missing (expected: int)" in refused(migrated("job:run", "add", "--b", "1"), 2)
    assert json.loads(migrated("job:list", "--runs", "--json").stdout) == []


def test_a_run_has_options_of_its_own(migrated: Run) -> None:
    options = ("--delay", "60", "--queue", "slow", "--priority", "1", "--tag", "x", "--tag", "y")
    ran = migrated("job:run", "add", "--a", "1", *options, "--unique-key", "k", "--json")
    assert ran.stderr == "m: no worker listens to the queue slow: start one with `m worker`\n"
    asked = json.loads(ran.stdout)
    assert asked["existed"] is False
    shown = json.loads(migrated("job:status", asked["job_id"], "--json").stdout)
    assert (shown["status"], shown["queue"], shown["priority"]) == ("Scheduled", "slow", 1)
    assert (shown["tags"], shown["args"]) == (["x", "y"], {"a": 1})
    again = json.loads(migrated("job:run", "add", "--a", "2", "--unique-key=k", "--json").stdout)
    assert again == {"job_id": asked["job_id"], "existed": True}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--timeout", "1"), "--timeout says how long to --wait: use both"),
        (("--wait", "--timeout", "-1"), "--timeout: must be 0 seconds or more"),
        (("--local", "--wait"), "--local records no job, so --wait means nothing there"),
        (("--local", "--tag", "x"), "--local records no job, so --tag means nothing there"),
        (("--delay", "-1"), "--delay: must be from 0 to"),
        (("--delay", "nan"), "--delay: must be from 0 to"),
        (("--priority", "9"), "--priority: must be from 1"),
        (("--queue", "a b"), "--queue: a queue's name is"),
        (("--tag", ""), "--tag: must be at most 20"),
        (("--unique-key", ""), "--unique-key: cannot be empty"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_of_a_run_that_make_no_sense_are_named(
    options: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = ("--app", "tests.support.application:app")
    assert main(["job:run", "add", "--a", "1", *options, *app]) == 2
    assert problem in capsys.readouterr().err


def test_the_help_of_a_job_is_about_its_arguments(m: Run) -> None:
    shown = m("job:run", "add", "--help")
    assert shown.returncode == 0
    assert "Usage: m job:run add --a …" in shown.stdout


def test_an_unknown_job_is_exit_status_1(migrated: Run) -> None:
    assert "no job has the id" in refused(migrated("job:status", uuid7()), 1)


def test_local_calls_the_function_here_and_now(process: Run) -> None:
    ran = process("job:run", "add", "--local", "--a", "1")
    assert json.loads(ran.stdout) == "1 1 None None"
    assert "50 % half" in ran.stderr
    assert refused(process("job:run", "boom", "--local", "--text", "no"), 1) == "ValueError: no"


def test_wait_prints_the_result_or_the_error(migrated: Run, folder: Path) -> None:
    with subprocess.Popen(
        [*M, "worker"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as worker:
        try:
            ran = migrated("job:run", "add", "--wait", "--a", "5")
            assert json.loads(ran.stdout) == "5 1 None None"
            failed = refused(migrated("job:run", "boom", "--wait", "--text", "no"), 1)
            assert "ended Failed: ValueError: no" in failed
            assert "--log)" in failed
        finally:
            worker.terminate()


def test_options_after_two_dashes_belong_to_the_job(migrated: Run, folder: Path) -> None:
    (folder / "shop" / "jobs.py").write_text(
        "from framework_m import job\n@job\nasync def nap(wait: int) -> int: return wait\n"
    )
    ran = migrated("job:run", "nap", "--local", "--", "--wait", "5")
    assert ran.stdout.strip() == "5", ran.stderr


def test_stdout_has_what_was_asked_for_and_nothing_else(process: Run, folder: Path) -> None:
    (folder / "shop" / "jobs.py").write_text(
        "from framework_m import job\nprint('imported')\n"
        "@job\nasync def chats() -> str: print('called'); return 'ü'\n"
        "@job\nasync def leaves() -> None: raise SystemExit(0)\n"
    )
    ran = process("job:run", "chats", "--local", PYTHONIOENCODING="ascii")
    assert (json.loads(ran.stdout), ran.stderr) == ("ü", "imported\ncalled\n")
    left = process("job:run", "leaves", "--local")
    assert (left.returncode, left.stderr) == (1, "imported\nm: SystemExit: 0\n")


def test_info_lists_the_streams(m: Run, nats_server: NatsServer, nats_prefix: str) -> None:
    shown = m("info", "--json", NATS_URL=nats_server.url, FRAMEWORK_M_NATS_PREFIX=nats_prefix)
    streams = "\n".join(json.loads(shown.stdout)["streams"])
    assert f"{nats_prefix}_jobs: {nats_prefix}.jobs.>, kept until acknowledged." in streams
    assert f"{nats_prefix}_parked" in streams


def test_info_without_nats_says_so_and_shows_no_password(m: Run) -> None:
    shown = m("info", NATS_URL="nats://ada:hunter2@127.0.0.1:1")
    assert shown.returncode == 0
    assert "NATS is not available: nats://127.0.0.1:1" in shown.stdout
    assert "hunter2" not in shown.stdout + shown.stderr


def test_info_shows_no_password(m: Run) -> None:
    shown = m("info", DATABASE_URL="postgresql://user:hunter2@127.0.0.1:1/db")
    assert shown.returncode == 0
    assert "hunter2" not in shown.stdout + shown.stderr
    assert "user:***@127.0.0.1:1/db" in shown.stdout


def test_the_command_is_installed() -> None:
    installed = Path(sys.executable).parent / "m"
    shown = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "0.1.0"


@pytest.mark.parametrize("words", [["job:list"], ["--help"], ["info"]])
def test_a_full_disk_is_told_in_one_line(folder: Path, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*M, *words],
            cwd=folder,
            env=bare_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "m: cannot go on: [Errno 28] No space left on device\n",
    )


def test_nobody_need_listen(folder: Path) -> None:
    m = " ".join(M)
    for line, status in (
        (f"{m} job:list >&-", 0),
        (f"{m} job:run nope 2>&-", 2),
        (f"{m} job:run nope 2>/dev/full", 2),
    ):
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=folder,
            env=bare_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (status, ""), line


def test_what_is_no_text_is_called_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job:run", "add", "--tag", "\udcff"]) == 2
    assert "'\\udcff' is not text in the encoding of this locale" in capsys.readouterr().err
