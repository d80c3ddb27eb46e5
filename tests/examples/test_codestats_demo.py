"""The demo of codestats, as people and scripts run it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

DEMO = Path(__file__).parents[2] / "examples" / "codestats" / "demo.py"


class RunningDemo:
    """The demo as a child process, and what it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.output = ""

    def printed(self, text: str) -> str:
        """Wait for a line with this text; what stands behind the text."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if text in line:
                return line.partition(text)[2].strip()
        raise AssertionError(f"never printed {text!r}:\n{self.output}")

    def ended(self) -> int:
        assert self.process.stdout is not None
        self.output += self.process.stdout.read()
        return self.process.wait(60)


@contextlib.contextmanager
def demo(*arguments: object, **environment: str) -> Iterator[RunningDemo]:
    with subprocess.Popen(
        [sys.executable, DEMO, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield RunningDemo(process)
        finally:
            if process.poll() is None:
                process.terminate()


def server_of(log: str, job_url: str) -> int:
    """The process id of the server, which is also the worker that ran the job."""
    token = Path(log).read_text().partition("  token      ")[2].partition(" ")[0]
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(job_url, headers=headers, trust_env=False).raise_for_status()
    return int(answer.json()["worker"].split(":")[1])


def is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.py").write_text("def f(): ...\n")
    (tmp_path / "bad.py").write_text("def f(:")
    return tmp_path


def test_it_runs_to_its_result(tree: Path) -> None:
    with demo("--once", tree) as running:
        assert running.ended() == 0, running.output
    assert "100 %  4 files" in running.output
    assert "unparsable:  bad.py" in running.output
    assert "Success, attempt 1" in running.output


def test_it_runs_on_nats_too(tree: Path) -> None:
    with demo("--once", "--nats", tree) as running:
        assert running.ended() == 0, running.output
    assert "Success, attempt 1" in running.output


def test_it_fails_when_its_job_does(tmp_path: Path) -> None:
    with demo("--once", tmp_path / "none") as running:
        assert running.ended() == 1
    assert "does not exist" in running.output
    assert ": Failed, attempt 2" in running.output


def test_what_the_environment_says_of_servers_and_proxies_changes_nothing(tree: Path) -> None:
    nowhere = "127.0.0.1:9"
    with demo(
        *("--once", tree),
        HTTP_PROXY=f"http://{nowhere}",
        ALL_PROXY=f"http://{nowhere}",
        NATS_URL=f"nats://{nowhere}",
        DATABASE_URL=f"postgresql://{nowhere}/none",
        FRAMEWORK_M_BACKEND="nats",
    ) as running:
        assert running.ended() == 0, running.output


def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with demo("--once", "--port", port) as running:
            assert running.ended() == 1
    assert f"cannot listen on port {port}" in running.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_the_server_running_until_it_is_stopped(
    tree: Path, number: signal.Signals
) -> None:
    with demo(tree) as running:
        log = running.printed("its log is ")
        url = running.printed("ready at ").split()[0]
        job = running.printed("enqueued scan_tree as job ")
        running.printed("the server still runs")
        server = server_of(log, f"{url}/api/v1/jobs/{job}")
        assert is_alive(server)
        running.process.send_signal(number)
        assert running.ended() == 0, running.output
    assert not is_alive(server)


@pytest.mark.parametrize("signals", [1, 2], ids=["once", "twice"])
def test_a_signal_in_the_middle_leaves_no_server_behind(signals: int) -> None:
    with demo() as running:
        log = running.printed("its log is ")
        url = running.printed("ready at ").split()[0]
        job = running.printed("enqueued scan_tree as job ")
        running.printed(" files")
        server = server_of(log, f"{url}/api/v1/jobs/{job}")
        for _ in range(signals):
            running.process.send_signal(signal.SIGINT)
            if "stopping" not in running.output:
                running.printed("stopping")
        assert running.ended() == 128 + signal.SIGINT, running.output
    assert not is_alive(server)


def test_two_demos_keep_out_of_each_others_way(tree: Path) -> None:
    with demo(tree) as first, demo("--once", tree) as second:
        log = first.printed("its log is ")
        url = first.printed("ready at ").split()[0]
        job = first.printed("enqueued scan_tree as job ")
        assert second.ended() == 0, second.output
        assert log not in second.output
        assert server_of(log, f"{url}/api/v1/jobs/{job}")
        assert Path(log).exists()
