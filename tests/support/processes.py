"""Workers as processes of their own, so that they can be killed."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_STOP_TIMEOUT = 30
_PATIENCE = 2


class WorkerProcess:
    """`m worker` on the test application."""

    def __init__(
        self,
        environment: Mapping[str, str],
        output: Path,
        *options: str,
        app: str = "tests.support.application:app",
    ) -> None:
        self._output = output
        with output.open("ab") as log:
            self._process = subprocess.Popen(
                [*M, "worker", "--app", app, *options],
                cwd=_ROOT,
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL: no last words."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough: its children go with it."""
        if self.is_alive:
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    def stop(self) -> int:
        """SIGTERM, then wait; the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_STOP_TIMEOUT)

    def wait(self) -> int:
        """Until it ends by itself; the exit status."""
        return self._process.wait(_STOP_TIMEOUT)

    def output(self) -> str:
        return self._output.read_text()


M = (sys.executable, "-m", "framework_m.cli.main")


def bare_environment(**variables: str) -> dict[str, str]:
    """What is needed to find programs and modules, and what is given; no settings of ours."""
    needed = ("PATH", "PYTHONPATH")
    return {**{name: os.environ[name] for name in needed if name in os.environ}, **variables}


@contextlib.contextmanager
def worker_process(
    environment: Mapping[str, str],
    output: Path,
    *options: str,
    app: str = "tests.support.application:app",
) -> Iterator[WorkerProcess]:
    """A worker that is gone when the block ends, however it ends."""
    worker = WorkerProcess(environment, output, *options, app=app)
    try:
        yield worker
    finally:
        worker.end()
