"""What the documentation shows is run here: files are written, programs and commands executed."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\S+\.py)\n")


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(page.read_text()) if kind == language]


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    programs = Path(sys.executable).parent
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    modules = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PATH": path, "PYTHONPATH": modules}
    environment.pop("DATABASE_URL", None)
    return subprocess.run(
        arguments,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write_files(page: Path, folder: Path) -> list[Path]:
    """Blocks that begin with the name of a file become that file."""
    written = []
    for source in blocks(page, "python"):
        named = _FILE.match(source)
        if named:
            file = folder / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
            written.append(file)
    return written


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_first_application_runs_as_shown(tmp_path: Path) -> None:
    page = ROOT / "README.md"
    files = write_files(page, tmp_path)
    assert [file.name for file in files] == ["jobs.py", "app.py", "close_month.py"]
    [shell] = [text for text in blocks(page, "console") if text.startswith("$")]
    commands = "\n".join(line.removeprefix("$ ") for line in shell.splitlines())
    shown = run(["sh", "-ec", f"trap 'kill $!' EXIT\n{commands}"], tmp_path)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert '"month": "2026-12"' in shown.stdout

    program = run([sys.executable, str(files[-1])], tmp_path)
    assert program.returncode == 0, program.stderr
    assert "'month': '2026-11'" in program.stdout


def test_the_page_on_the_worker_runs_as_shown(tmp_path: Path) -> None:
    page = ROOT / "docs" / "worker.md"
    _, program = write_files(page, tmp_path)
    [shell] = blocks(page, "console")
    commands = "\n".join(line.removeprefix("$ ") for line in shell.splitlines())
    ended = f"\n{sys.executable} {program.name}"
    shown = run(["sh", "-ec", commands + ended], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "ended after 4 runs" in shown.stdout
    assert "4 runs" in shown.stdout.splitlines()[-1]
    assert len(re.findall(r"build_report [0-9a-f-]{36}: Success in ", shown.stderr)) == 3


def test_the_page_on_jobs_runs_as_shown(tmp_path: Path) -> None:
    page = ROOT / "docs" / "jobs.md"
    files = write_files(page, tmp_path)
    _, send, *_, pack = files
    shown = run([sys.executable, str(send)], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        "sent to ada@example.org at attempt 2",
        "sent to ada@example.org at attempt 1",
        "42",
        "[0, 2, 4]",
        "Discard: 'nobody' is no address",
        "width",
    ]
    [queues] = [file for file in files if file.name == "queues.py"]
    shown = run([sys.executable, str(queues)], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        "4",
        "(True, 1)",
        "sent to ada@example.org at attempt 1",
        "False None",
    ]
    [command] = blocks(page, "console")
    shown = run(["sh", "-ec", f"{command.removeprefix('$ ')}\npython {pack}"], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[-6:] == [
        "2",
        "INFO packed for ada",
        "Abbey Road by bicycle, asked for by ada",
        "['shipping Abbey Road']",
        "Rue de la Paix by bicycle, asked for by ada",
        "['shipping Rue de la Paix']",
    ]


def test_the_page_on_jobs_keeps_limits_and_unique_jobs(tmp_path: Path) -> None:
    files = write_files(ROOT / "docs" / "jobs.md", tmp_path)
    [program] = [file for file in files if file.name == "keep_in_step.py"]
    shown = run([sys.executable, str(program)], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        "True True",
        """[None, 'limit:customer:sync:"bob"', None]""",
        "2 pages for ada - bob is in step",
        "Cancelled Cancelled",
        "True",
        "None",
    ]


def test_the_page_on_jobs_counts_primes_in_a_process(tmp_path: Path) -> None:
    [program] = [
        file
        for file in write_files(ROOT / "docs" / "jobs.md", tmp_path)
        if file.name == "count_primes.py"
    ]
    shown = run([sys.executable, str(program)], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == "168 ['the largest is 997']\n"


def test_the_page_on_access_runs_as_shown(tmp_path: Path) -> None:
    page = ROOT / "docs" / "access.md"
    *_, write = write_files(page, tmp_path)
    [shell] = blocks(page, "console")
    commands = "\n".join(line.removeprefix("$ ") for line in shell.splitlines())
    shown = run(["sh", "-ec", f"{commands}\n{sys.executable} {write}"], tmp_path)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    *_, token, key, headings, listed, owner, missing, forbidden = shown.stdout.splitlines()
    assert token.startswith("ey")
    assert key.startswith("fmk_")
    assert headings.startswith("NAME")
    assert "the nightly export" in listed
    assert owner == "ada 0"
    assert missing == "for Bob there is no such article"
    assert forbidden == "your roles do not allow to delete Article"


def test_the_page_on_rest_runs_as_shown(tmp_path: Path) -> None:
    page = ROOT / "docs" / "rest.md"
    *_, ask = write_files(page, tmp_path)
    [shell] = blocks(page, "console")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    ask.write_text(ask.read_text().replace("8000", port))
    commands = "\n".join(line.removeprefix("$ ") for line in shell.splitlines())
    started = f"trap 'kill $!' EXIT\n{commands.replace('8000', port)}\n{sys.executable} {ask}"
    shown = run(["sh", "-ec", started], tmp_path)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stdout.splitlines()[-9:] == [
        '201 "1"',
        "200 News of today 2",
        "412 Precondition Failed",
        "422 [{'field': 'title', 'message': 'Field required'}]",
        "400 [{'field': 'colour', 'message': 'Article has no such field'}]",
        "['News of today']",
        "submitted",
        "409",
        "all own none",
    ]


def test_the_page_on_documents_runs_as_shown(tmp_path: Path) -> None:
    page = ROOT / "docs" / "documents.md"
    *_, use, existing = write_files(page, tmp_path)
    [shell] = blocks(page, "console")
    commands = "\n".join(line.removeprefix("$ ") for line in shell.splitlines())
    programs = f"{sys.executable} {use}\n{sys.executable} {existing}"
    shown = run(["sh", "-ec", f"{commands}\n{programs}"], tmp_path)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stdout.splitlines()[-6:] == [
        "00001 1",
        "['10.50', '3.00']",
        "somebody else was faster",
        "there is no Bob",
        "submitted 4",
        "True None",
    ]


def test_the_page_on_events_runs_as_shown(tmp_path: Path) -> None:
    *_, program = write_files(ROOT / "docs" / "events.md", tmp_path)
    commands = "m migrate && m migrate:make -m start && m migrate"
    made = run(["sh", "-ec", f"export FRAMEWORK_M_APP=shop.app:app; {commands}"], tmp_path)
    assert made.returncode == 0, made.stdout + made.stderr
    shown = run([sys.executable, str(program)], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert sorted(shown.stdout.splitlines()) == [
        "I-1 changed total to 11.00",
        "I-1 changed total to 12.00",
        "I-1 over 10.00, attempt 1",
        "I-1 paid 12.00 by ada",
        "live: invoice.paid",
    ]
