"""The example that runs programs: what it streams, what it survives, and what it ends."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from commands import running as runs
from commands.jobs import CommandResult, run_command
from commands.lines import LONGEST, Lines

from framework_m import FrameworkM, JobStatus
from tests.support.harness import Harness, until
from tests.support.pids import gone, is_there, open_pipes

PYTHON = sys.executable
DETACHED = "import subprocess, time, os; print(subprocess.Popen(['sleep', '1000']).pid, flush=True)"


@pytest.fixture
async def app(sqlite: Harness, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FrameworkM]:
    monkeypatch.setenv("COMMANDS_ALLOWED", f"{PYTHON}:sh:yes:no-such-program:./no-such-program")
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    async with sqlite.application(["commands.jobs"], stop_grace=0) as app:
        yield app


async def ran(app: FrameworkM, *argv: str, cwd: Path | None = None) -> CommandResult:
    handle = await run_command.enqueue(list(argv), None if cwd is None else str(cwd))
    return await handle.result(timeout=20)


async def started_by(app: FrameworkM, job_id: str, count: int = 1) -> list[int]:
    """The process ids that a job has printed."""

    async def look() -> list[int]:
        lines = await app.jobs.lines(job_id)
        return [int(line.message) for line in lines] if len(lines) >= count else []

    return await until(look)


async def test_output_streams_while_it_runs_and_the_exit_code_is_the_result(
    app: FrameworkM, tmp_path: Path
) -> None:
    program = "echo out; echo err >&2; pwd; while [ ! -e gate ]; do sleep 0.01; done; exit 3"
    async with app.worker():
        handle = await run_command.enqueue(["sh", "-c", program], str(tmp_path))

        async def look() -> list[tuple[str, str]]:
            lines = await app.jobs.lines(handle)
            return [(line.level, line.message) for line in lines] if len(lines) == 3 else []

        lines = await until(look)
        job = await app.jobs.get(handle)
        assert job is not None
        assert job.status is JobStatus.RUNNING
        (tmp_path / "gate").touch()
        result = await handle.result(timeout=20)
    assert sorted(lines) == [("INFO", str(tmp_path)), ("INFO", "out"), ("WARNING", "err")]
    assert (result.exit_code, result.output_bytes) == (3, 9 + len(str(tmp_path)))


async def test_any_output_survives(app: FrameworkM) -> None:
    program = (
        "import os, sys; write = lambda data: os.write(1, data)\n"
        "write(b'a\\xff\\x00\\r\\n'); write(b'\\xe2\\x82'); write(b'\\xac\\n')\n"
        "[write(b'x' * 50_000) for _ in range(4)]; write(b'\\nno end')"
    )
    async with app.worker():
        handle = await run_command.enqueue([PYTHON, "-c", program])
        assert (await handle.result(timeout=20)).output_bytes == 200_000 + 5 + 4 + 7
        messages = [line.message for line in await app.jobs.lines(handle)]
    assert messages[:2] == ["a\ufffd\\x00", "€"]
    assert "".join(messages[2:-1]) == "x" * 200_000
    assert max(map(len, messages)) == LONGEST
    assert messages[-1] == "no end"


async def test_endless_output_neither_fills_the_log_nor_holds_up_others(
    app: FrameworkM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST_LINES", 100)
    async with app.worker():
        endless = await run_command.enqueue(["yes"])
        assert (await ran(app, "sh", "-c", "exit 0")).exit_code == 0

        async def look() -> bool:
            return len(await app.jobs.lines(endless, limit=10_000)) > 100

        await until(look)


async def test_a_program_gets_none_of_the_secrets(app: FrameworkM) -> None:
    async with app.worker():
        handle = await run_command.enqueue([PYTHON, "-c", "import os; print(sorted(os.environ))"])
        await handle.result(timeout=20)
        [line] = await app.jobs.lines(handle)
    assert "PATH" in line.message
    assert "PASSWORD" not in line.message


async def test_what_is_not_allowed_or_not_there_fails_at_once(
    app: FrameworkM, sqlite: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: tuple[list[str], ...] = (["rm", "-rf", "x"], ["/bin/sh", "-c", "x"], [])
    async with app.worker():
        errors = [(await sqlite.ended(await run_command.enqueue(argv))).error for argv in refused]
        missing = await sqlite.ended(await run_command.enqueue(["no-such-program"]))
        assert (await ran(app, "./no-such-program")).exit_code == 127
        monkeypatch.delenv("COMMANDS_ALLOWED")
        by_default = await sqlite.ended(await run_command.enqueue(["sh"]))
    assert [(error or "").partition(" may not be run")[0] for error in errors] == [
        "Discard: 'rm'",
        "Discard: '/bin/sh'",
        "Discard: nothing",
    ]
    assert (missing.error or "").startswith("FileNotFoundError")
    assert by_default.error == ("Discard: 'sh' may not be run: COMMANDS_ALLOWED has nothing in it")


async def test_what_a_program_leaves_running_is_ended_with_it(app: FrameworkM) -> None:
    async with app.worker():
        handle = await run_command.enqueue([PYTHON, "-c", DETACHED])
        assert (await handle.result(timeout=20)).exit_code == 0
        await gone(*await started_by(app, handle))


async def test_a_cancelled_program_may_clean_up_and_what_it_started_is_gone(
    app: FrameworkM, tmp_path: Path
) -> None:
    program = (
        f"{DETACHED}; import signal, sys; print(os.getpid(), flush=True)\n"
        "def stop(*_):\n"
        "    print('x' * 200_000, flush=True); open('cleaned', 'w').close(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop); signal.pause()"
    )
    async with app.worker():
        handle = await run_command.enqueue([PYTHON, "-c", program], str(tmp_path))
        pids = await started_by(app, handle, 2)
        assert all(map(is_there, pids))
    await gone(*pids)
    assert (tmp_path / "cleaned").exists()


async def test_a_program_that_is_out_of_time_and_deaf_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "GRACE", 0.1)
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print(0, flush=True)"
    program = f"{DETACHED}; {deaf}; time.sleep(1000)"
    said: list[str] = []
    both = asyncio.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            both.set()

    with pytest.raises(TimeoutError):
        async with runs.running([PYTHON, "-c", program], None, os.environ, out=say, err=say) as it:
            await both.wait()
            async with asyncio.timeout(0):
                await it.exit_code()
    await gone(it.pid, int(said[0]))


async def test_a_program_does_not_outlive_the_process_that_runs_it() -> None:
    starter = (
        "import asyncio, os, sys; from commands.running import running\n"
        "async def main():\n"
        "    async with running(sys.argv[1:], None, os.environ, out=print, err=print) as it:\n"
        "        await it.exit_code()\n"
        "asyncio.run(main())"
    )
    program = f"import os; print(os.getpid()); {DETACHED}; time.sleep(99)"
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, "-u", "-c", starter, PYTHON, "-c", program),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    pids = [int(await process.stdout.readline()) for _ in range(2)]
    assert all(map(is_there, pids))
    process.kill()
    await process.wait()
    await gone(*pids)


async def test_a_program_ends_as_it_would_in_a_shell(app: FrameworkM) -> None:
    """Python ignores SIGPIPE, and what it starts would too."""
    async with app.worker():
        handle = await run_command.enqueue(["sh", "-c", "yes | head -n 1; kill -9 $$"])
        assert (await handle.result(timeout=20)).exit_code == -9
        assert [line.message for line in await app.jobs.lines(handle)] == ["y"]


async def test_nothing_is_left_of_a_start_that_is_cancelled() -> None:
    descriptors = open_pipes()
    pids: list[str] = []

    async def run() -> None:
        async with runs.running(
            [
                PYTHON,
                "-c",
                f"import os; print(os.getpid(), flush=True); {DETACHED}; time.sleep(99)",
            ],
            None,
            os.environ,
            out=pids.append,
            err=pids.append,
        ) as it:
            await it.exit_code()

    for pauses in range(12):
        running = asyncio.create_task(run())
        for _ in range(pauses):
            await asyncio.sleep(0)
        running.cancel()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    await gone(*map(int, pids))
    assert open_pipes() == descriptors


def test_lines_do_not_depend_on_how_the_bytes_come() -> None:
    data = "é€\r\n\n".encode() + b"\xf0\x9f" + b"y" * (2 * LONGEST + 1) + b"\nend"
    for size in (1, 3, len(data)):
        lines = Lines()
        found = [
            line
            for start in range(0, len(data), size)
            for line in lines.feed(data[start : start + size])
        ]
        found += lines.feed(b"", final=True)
        assert found[:2] == ["é€", ""]
        assert "".join(found[2:]) == "\ufffd" + "y" * (2 * LONGEST + 1) + "end"
        assert max(map(len, found)) <= LONGEST
