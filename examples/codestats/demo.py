"""The demo: start `m dev`, enqueue `scan_tree` over HTTP, follow it, print its result."""

import argparse
import contextlib
import io
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from dev_server import DemoError, DevServer, Signals, Stopped, dev_server

_START_TIMEOUT = 60
_JOB_TIMEOUT = 1500  # two attempts of 600 seconds, and what is between them
_ANSWER_TIMEOUT = 10
_BAR_WIDTH = 40

Job = dict[str, Any]


def main() -> int:
    options = _options()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # say it at once, and in any encoding
            stream.reconfigure(line_buffering=True, errors="replace")
    signals = Signals()
    try:
        return _demo(options, signals)
    except DemoError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except Stopped:
        return 128 + signals.received[0]


def _demo(options: argparse.Namespace, signals: Signals) -> int:
    with (
        dev_server(
            signals, port=options.port, options=["--nats"] if options.nats else []
        ) as server,
        # A proxy that the environment names knows nothing of this server.
        httpx.Client(base_url=server.url, trust_env=False, timeout=_ANSWER_TIMEOUT) as client,
    ):
        try:
            _wait_until_ready(client, server, signals)
            client.headers["Authorization"] = f"Bearer {server.token}"
            job = _follow(client, _enqueue(client, options.path), server, signals)
        except httpx.HTTPError as error:
            server.require_alive()
            raise DemoError(f"the server answers wrongly: {error!r}; {server}") from error
        _show(job)
        if not options.once:
            _leave_running(job, server, signals)
    return 0 if job["status"] == "Success" else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", help="the tree to scan; this environment's packages")
    parser.add_argument("--once", action="store_true", help="end the server when the job has ended")
    parser.add_argument("--nats", action="store_true", help="with a NATS server beside it")
    parser.add_argument("--port", type=int, help="the port to serve on; a free one by default")
    return parser.parse_args()


def _wait_until_ready(client: httpx.Client, server: DevServer, signals: Signals) -> None:
    started = time.monotonic()
    while time.monotonic() < started + _START_TIMEOUT:
        server.require_alive()
        try:
            if client.get("/health/ready").status_code == httpx.codes.OK:
                print(f"ready at {server.url} after {time.monotonic() - started:.1f} s")
                return
        except httpx.TransportError:
            pass  # does not listen yet
        signals.pause()
    raise DemoError(f"the server was not ready after {_START_TIMEOUT} s; {server}")


def _enqueue(client: httpx.Client, path: str | None) -> str:
    args = {} if path is None else {"path": str(Path(path).absolute())}
    answer = client.post("/api/v1/jobs", json={"job_name": "scan_tree", "args": args})
    if answer.status_code != httpx.codes.ACCEPTED:
        raise DemoError(f"the job was refused: {answer.text}")
    job_id: str = answer.json()["job_id"]
    print(f"enqueued scan_tree as job {job_id}")
    return job_id


def _follow(client: httpx.Client, job_id: str, server: DevServer, signals: Signals) -> Job:
    shown = -1
    deadline = time.monotonic() + _JOB_TIMEOUT
    while time.monotonic() < deadline:
        server.require_alive()
        job: Job = client.get(f"/api/v1/jobs/{job_id}").raise_for_status().json()
        shown = _show_progress(job, shown)
        if job["status"] in ("Success", "Failed", "Cancelled"):
            return job
        signals.pause()
    raise DemoError(f"the job has not ended after {_JOB_TIMEOUT} s; {server}")


def _show_progress(job: Job, shown: int) -> int:
    """A bar on a terminal; elsewhere a line every ten percent."""
    percent = int(job["progress"] or 0)
    message = job["progress_message"] or job["status"]
    if sys.stdout.isatty():
        done = "█" * (percent * _BAR_WIDTH // 100)
        print(f"\r{done:░<{_BAR_WIDTH}} {percent:3} %  {message}\033[K", end="", flush=True)
        return percent
    if percent // 10 > shown // 10:
        print(f"{percent:3} %  {message}")
        return percent
    return shown


def _show(job: Job) -> None:
    print("\n" if sys.stdout.isatty() else "")
    if job["status"] == "Success":
        _show_summary(job["result"])
    else:
        print(job["traceback"] or "")
        print(job["error"])
    print(f"\njob {job['job_id']}: {job['status']}, attempt {job['attempt']}", end="")
    print(f", {job['duration_seconds']:.1f} s" if job["duration_seconds"] is not None else "")


def _show_summary(result: dict[str, Any]) -> None:
    print(f"{result['root']}, counted in {result['seconds']} s")
    for name in ("files", "lines", "blank", "comments", "functions", "classes", "unparsable"):
        print(f"  {name:<12}{result[name]:>12,}")
    if result["unreadable_folders"]:
        print(f"  not counted: {result['unreadable_folders']} folders that may not be read")
    for module in result["unparsable_modules"]:
        print(f"  {'unparsable:':>24}  {module}")
    print("\n  the largest modules:")
    for size in result["largest"]:
        print(f"  {size['lines']:>24,}  {size['module']}")


def _leave_running(job: Job, server: DevServer, signals: Signals) -> None:
    print("\nthe server still runs, for you to look around; Ctrl-C ends it")
    print(f"  {server.url}/schema")
    bearer = f"Authorization: Bearer {server.token}"
    print(f"  curl -H '{bearer}' {server.url}/api/v1/jobs/{job['job_id']}")
    with contextlib.suppress(Stopped):  # the way this is meant to end
        while True:
            server.require_alive()
            signals.pause()


if __name__ == "__main__":
    sys.exit(main())
