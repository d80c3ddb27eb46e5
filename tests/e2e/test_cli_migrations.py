"""`m migrate:make` and `m migrate`: an application's DocTypes become tables, and change."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import asyncpg
import pytest

from tests.support.command import Command, Done, Run
from tests.support.processes import M, bare_environment
from tests.support.servers import plain_dsn

DOCTYPES = """
from framework_m import DocType, Field, Link

class Customer(DocType):
    title: str = Field(max_length=80)
    {more}

class Invoice(DocType):
    customer: Link[Customer]

    class Meta:
        indexes = ["customer"]
"""
SAVE = """
import asyncio
from shop.app import app
from shop.doctypes import Customer, Invoice

async def main():
    async with app:
        async with app.transaction() as tx:
            ada = await tx.repository(Customer).save(Customer(name="Ada", title="Ada"))
            await tx.repository(Invoice).save(Invoice(customer=ada.name))

asyncio.run(main())
"""
READ = """
import asyncio
from shop.app import app
from shop.doctypes import Customer, Invoice

async def main():
    async with app:
        ada = await app.repository(Customer).get("Ada")
        print(ada.title, ada.city, await app.repository(Invoice).count())

asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    write(tmp_path)
    (tmp_path / "shop" / "app.py").write_text(
        "from framework_m import FrameworkM\napp = FrameworkM(['shop.doctypes'])\n"
    )
    return tmp_path


def write(folder: Path, more: str = "") -> None:
    (folder / "shop" / "doctypes.py").write_text(DOCTYPES.format(more=more))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    found: str = request.getfixturevalue("postgres_database")
    return found


@pytest.fixture
def environment(folder: Path, url: str) -> dict[str, str]:
    return {
        **bare_environment(),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])),
        "PYTHONDONTWRITEBYTECODE": "1",  # sources change within a second
        "DATABASE_URL": url,
        "FRAMEWORK_M_APP": "shop.app:app",
    }


@pytest.fixture
def m(folder: Path, environment: dict[str, str], capfd: pytest.CaptureFixture[str]) -> Run:
    return Command(capfd, environment, folder)


def python(program: str, folder: Path, environment: dict[str, str]) -> str:
    """In a process of its own, as an application runs."""
    shown = subprocess.run(
        [M[0], "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout.strip()


def done(shown: Done) -> str:
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return shown.stdout + shown.stderr


def revisions(folder: Path) -> list[Path]:
    return sorted((folder / "migrations").glob("*.py"))


def test_doctypes_become_tables_and_change_with_their_rows_kept(
    m: Run, folder: Path, environment: dict[str, str]
) -> None:
    assert "not in the database as in the code: Customer, Invoice" in done(m("migrate"))
    done(m("migrate:make", "-m", "first"))
    assert len(revisions(folder)) == 1
    assert "not in the database" not in done(m("migrate"))
    python(SAVE, folder, environment)

    write(folder, more="city: str | None = None")
    outdated = json.loads(m("migrate", "--json").stdout)
    assert outdated["outdated"] == ["Customer"]
    made = json.loads(m("migrate:make", "-m", "a city", "--json").stdout)
    assert folder / made["file"] in revisions(folder)
    assert len(revisions(folder)) == 2
    migrated = json.loads(m("migrate", "--json").stdout)
    assert migrated["outdated"] == []
    assert migrated["application"]["before"] != migrated["application"]["after"]
    assert migrated["schema"]["before"] == migrated["schema"]["after"]
    assert python(READ, folder, environment) == "Ada None 1"


def test_nothing_to_make_makes_nothing(m: Run, folder: Path) -> None:
    done(m("migrate"))
    done(m("migrate:make", "-m", "first"))
    done(m("migrate"))
    done(m("migrate:make", "-m", "again"))
    assert len(revisions(folder)) == 1


def test_a_worker_refuses_tables_older_than_its_code(m: Run, folder: Path) -> None:
    done(m("migrate"))
    done(m("migrate:make", "-m", "first"))
    refused = m("job:list", "--runs")
    assert refused.returncode == 1
    assert "run `m migrate`" in refused.stderr
    done(m("migrate"))
    done(m("job:list", "--runs"))


async def test_tables_that_are_not_ours_are_left_alone(
    m: Command, folder: Path, url: str, tmp_path: Path
) -> None:
    await _execute(url, tmp_path, "CREATE TABLE theirs (n INTEGER)")
    done(await m.aside("migrate"))
    done(await m.aside("migrate:make", "-m", "first"))
    assert "theirs" not in revisions(folder)[0].read_text()
    done(await m.aside("migrate"))
    await _execute(url, tmp_path, "INSERT INTO theirs VALUES (1)")


def test_the_frameworks_own_tables_are_not_the_applications_to_make(
    m: Run, folder: Path, environment: dict[str, str]
) -> None:
    # Before its table is there, beside DocTypes of the application, and linked to by one.
    (folder / "shop" / "doctypes.py").write_text(
        "from framework_m import DocType, Link, Queue\n"
        "class Printer(DocType):\n    queue: Link[Queue] | None = None\n"
    )
    done(m("migrate:make", "-m", "first"))
    source = revisions(folder)[0].read_text()
    assert "create_table('printer'" in source
    assert "create_table('job_queue'" not in source
    assert "not in the database" not in done(m("migrate"))
    done(m("migrate:make", "-m", "again"))
    assert len(revisions(folder)) == 1
    done(m("queue:pause", "default"))
    python(
        "import asyncio\n"
        "from shop.app import app\n"
        "from shop.doctypes import Printer\n"
        "async def main():\n"
        "    async with app:\n"
        "        await app.repository(Printer).save(Printer(queue='default'))\n"
        "asyncio.run(main())\n",
        folder,
        environment,
    )


def test_a_doctype_of_a_name_of_the_frameworks_is_refused_clearly(m: Run, folder: Path) -> None:
    source = "from framework_m import DocType\nclass Queue(DocType):\n    length: int = 0\n"
    (folder / "shop" / "doctypes.py").write_text(source)
    refused = m("migrate")
    assert refused.returncode == 2
    assert "shop.doctypes:Queue (line 2)" in refused.stderr
    assert 'the framework\'s own: call yours otherwise (with `table = "queue"`' in refused.stderr

    (folder / "shop" / "doctypes.py").write_text(source.replace("Queue(", "JobQueue("))
    refused = m("migrate")
    assert refused.returncode == 2
    assert "choose another name with Meta.table" in refused.stderr


def test_making_without_a_message_is_wrong_usage(m: Run) -> None:
    assert m("migrate:make").returncode == 2


async def _execute(url: str, tmp_path: Path, statement: str) -> None:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(tmp_path / "shop.db")
        with connection:
            connection.execute(statement)
        connection.close()
        return
    driver = await asyncpg.connect(plain_dsn(url))
    await driver.execute(statement)
    await driver.close()
