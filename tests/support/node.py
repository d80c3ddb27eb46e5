"""Programs for Node that tests run, with what they need of npm installed once per checkout."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_CACHE = ROOT / ".node-peers"
_PROGRAMS = ROOT / "tests" / "support"


def node_program(name: str, *packages: str) -> Path:
    """The program, in a folder with the packages. Skips where there is no Node.

    Also in CI: of a machine no more than Python and make is asked.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed")
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all(_installed(package) for package in packages):
            _install(packages)
        # Node looks for packages beside the program.
        return Path(shutil.copy(_PROGRAMS / name, _CACHE / name))


def _installed(package: str) -> bool:
    return (_CACHE / "node_modules" / package.rpartition("@")[0]).is_dir()


def _install(packages: tuple[str, ...]) -> None:
    install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(_CACHE), *packages]
    done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        _refuse(f"npm could not install {' and '.join(packages)}: {done.stderr[-500:]}")


def _refuse(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"CI is set, and {reason}", pytrace=False)
    pytest.skip(reason)
