"""The demo: start `m dev`, enqueue `scan_tree` over HTTP, follow it, print its result."""

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).resolve().parent
DATA = HERE / ".data"
LOG = DATA / "server.log"

_START_TIMEOUT = 60
_STOP_TIMEOUT = 30
_LOOK_EVERY = 0.1
_BAR_WIDTH = 40

Job = dict[str, Any]


class DemoError(Exception):
    """Something went wrong; the message says what."""


def main() -> int:
    options = _options()
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        return _demo(options)
    except DemoError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
        return 130


def _demo(options: argparse.Namespace) -> int:
    port = options.port or _free_port()
    base = f"http://127.0.0.1:{port}"
    print(f"starting m dev; its log is {LOG}")
    with _server(port, nats=options.nats) as server, httpx.Client(base_url=base) as client:
        _wait_until_ready(client, server)
        job = _follow(client, _enqueue(client, options.path), server)
        _show(job)
        if not options.once:
            _leave_running(base, job, server)
    return 0 if job["status"] == "Success" else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", help="the tree to scan; this environment's packages")
    parser.add_argument("--once", action="store_true", help="end the server when the job has ended")
    parser.add_argument("--nats", action="store_true", help="with a NATS server beside it")
    parser.add_argument("--port", type=int, help="the port to serve on; a free one by default")
    return parser.parse_args()


@contextlib.contextmanager
def _server(port: int, *, nats: bool) -> Iterator[subprocess.Popen[bytes]]:
    """`m dev` on a fresh database, gone when the block ends however it ends."""
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True)
    command = [sys.executable, "-m", "framework_m.cli.main", "dev"]
    command += ["--app", "codestats.app:app", "--port", str(port)]
    if nats:
        command.append("--nats")
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{DATA / 'demo.db'}"}
    with LOG.open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=HERE,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    try:
        yield server
    finally:
        _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    server.terminate()
    try:
        server.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _wait_until_ready(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        _require_alive(server)
        try:
            if client.get("/health/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(_LOOK_EVERY)
    raise DemoError(f"the server was not ready after {_START_TIMEOUT} s; see {LOG}")


def _enqueue(client: httpx.Client, path: str | None) -> str:
    args = {} if path is None else {"path": str(Path(path).resolve())}
    answer = client.post("/api/v1/jobs", json={"job_name": "scan_tree", "args": args})
    if answer.status_code != httpx.codes.ACCEPTED:
        raise DemoError(f"the job was refused: {answer.text}")
    job_id: str = answer.json()["job_id"]
    print(f"enqueued scan_tree as job {job_id}")
    return job_id


def _follow(client: httpx.Client, job_id: str, server: subprocess.Popen[bytes]) -> Job:
    shown = -1
    while True:
        _require_alive(server)
        job: Job = client.get(f"/api/v1/jobs/{job_id}").raise_for_status().json()
        shown = _show_progress(job, shown)
        if job["status"] in ("Success", "Failed", "Cancelled"):
            return job
        time.sleep(_LOOK_EVERY)


def _show_progress(job: Job, shown: int) -> int:
    """A bar on a terminal; elsewhere a line every ten percent."""
    percent = int(job["progress"] or 0)
    message = job["progress_message"] or job["status"]
    if sys.stdout.isatty():
        done = "█" * (percent * _BAR_WIDTH // 100)
        end = "\n" if percent == 100 else ""
        print(f"\r{done:░<{_BAR_WIDTH}} {percent:3} %  {message}\033[K", end=end, flush=True)
        return percent
    if percent // 10 > shown // 10:
        print(f"{percent:3} %  {message}", flush=True)
        return percent
    return shown


def _show(job: Job) -> None:
    print()
    if job["status"] == "Success":
        _show_summary(job["result"])
    else:
        print(job["traceback"] or "")
        print(job["error"])
    print(f"\njob {job['job_id']}: {job['status']}, attempt {job['attempt']}", end="")
    print(f", {job['duration_seconds']:.1f} s" if job["duration_seconds"] else "")


def _show_summary(result: dict[str, Any]) -> None:
    counts = result["counts"]
    print(f"{result['root']}")
    for name in ("files", "lines", "functions", "classes", "unparsable"):
        print(f"  {name:<12}{counts[name]:>12,}")
    print("\n  the largest modules:")
    for module in counts["largest"]:
        print(f"  {module['lines']:>12,}  {module['path']}")


def _leave_running(base: str, job: Job, server: subprocess.Popen[bytes]) -> None:
    print(f"\nthe server still runs, for you to look around; Ctrl-C ends it\n  {base}/schema")
    print(f"  {base}/api/v1/jobs/{job['job_id']}", flush=True)
    server.wait()
    raise DemoError(f"the server ended by itself; see {LOG}")


def _require_alive(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        last = "\n".join(LOG.read_text(errors="replace").splitlines()[-20:])
        raise DemoError(
            f"the server ended with status {server.returncode}; its last words:\n{last}"
        )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
