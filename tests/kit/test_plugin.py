"""The pytest plugin, in test runs of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FILE = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run_pytest(folder: Path, *options: str) -> str:
    done = run(folder, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_documented_tests_pass(tmp_path: Path, mode: str) -> None:
    for name, text in _FILE.findall((ROOT / "docs" / "testing.md").read_text()):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("async def test", "@pytest.mark.asyncio\nasync def test"))
    assert "4 passed" in run_pytest(tmp_path, "-o", f"asyncio_mode={mode}")


PLUGIN = 'pytest_plugins = ["framework_m.testing.plugin"]\n'
ANYIO = """
import pytest
from framework_m import FrameworkM
from framework_m.testing import Kit
from tests.support.kit_jobs import app, book, ran

@pytest.fixture
def framework_m_app():
    return app

@pytest.mark.anyio
@pytest.mark.framework_m(inline=True, concurrency=3)
async def test_it(kit: Kit) -> None:
    assert app.settings.concurrency == 3
    await book.enqueue(1)
    assert ran == ["book 1"]
"""


def test_the_kit_runs_under_anyio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pytest-asyncio is not installed."""
    (tmp_path / "pytest_asyncio.py").write_text("raise ImportError('not installed')")
    (tmp_path / "test_it.py").write_text(ANYIO)
    (tmp_path / "conftest.py").write_text(
        f"{PLUGIN}import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    )
    paths = [str(tmp_path), str(ROOT), *sys.path]
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in paths if path))
    assert "1 passed" in run_pytest(tmp_path, "-p", "no:asyncio")


def test_the_application_is_found_as_the_command_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_it.py").write_text(
        "async def test_it(kit):\n    assert kit.app.modules == ('tests.support.kit_jobs',)\n"
    )
    (tmp_path / "conftest.py").write_text(PLUGIN)
    monkeypatch.setenv("FRAMEWORK_M_APP", "tests.support.kit_jobs:app")
    monkeypatch.setenv("PYTHONPATH", ":".join([str(ROOT), *filter(None, sys.path)]))
    assert "1 passed" in run_pytest(tmp_path, "-o", "asyncio_mode=auto")


def test_a_test_run_that_does_not_use_it_does_not_load_it(tmp_path: Path) -> None:
    """As for a whole package's asserts to be rewritten, which takes a second."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n    assert 'framework_m' not in sys.modules\n"
    )
    assert "1 passed" in run_pytest(tmp_path)


def test_the_markers_options_have_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conftest.py").write_text(PLUGIN)
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.framework_m(True)\n"
        "async def test_it(kit):\n"
        "    raise AssertionError\n"
    )
    monkeypatch.setenv("FRAMEWORK_M_APP", "tests.support.kit_jobs:app")
    monkeypatch.setenv("PYTHONPATH", ":".join([str(ROOT), *filter(None, sys.path)]))
    done = run(tmp_path, "-o", "asyncio_mode=auto")
    assert "takes its options by name" in done.stdout
    assert "1 error" in done.stdout
