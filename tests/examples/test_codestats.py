"""The codestats example: its counting, and the whole demo as a script would run it."""

import subprocess
import sys
from pathlib import Path

import pytest
from codestats.scan import count_files, source_files

EXAMPLE = Path(__file__).parents[2] / "examples" / "codestats"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "good.py").write_text(
        "class A:\n    def f(self): ...\n    async def g(self):\n        def inner(): ...\n"
    )
    (tmp_path / "empty.py").write_bytes(b"")
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbfx = 1\n")
    (tmp_path / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nx = '\xe9'\n")
    (tmp_path / "notes.txt").write_text("def not_python(): ...")
    return tmp_path


def test_files_lines_functions_and_classes_are_counted(tree: Path) -> None:
    counts = count_files(source_files(tree), tree)
    assert (counts.files, counts.lines) == (4, 7)
    assert (counts.functions, counts.classes) == (3, 1)
    assert counts.unparsable == 0
    assert counts.largest[0].path == "package/good.py"


@pytest.mark.parametrize(
    "source",
    [b"def f(:\n", b"x = '\xff'\n", b"x = 1\x00\n", b"(" * 5_000 + b")" * 5_000],
    ids=["syntax", "encoding", "null byte", "nesting"],
)
def test_a_file_that_cannot_be_parsed_is_counted_and_named(tree: Path, source: bytes) -> None:
    (tree / "bad.py").write_bytes(source)
    counts = count_files(source_files(tree), tree)
    assert (counts.files, counts.unparsable, counts.unparsable_paths) == (5, 1, ["bad.py"])


def test_links_lead_in_no_circles(tree: Path) -> None:
    (tree / "package" / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "broken.py").symlink_to(tree / "nowhere.py")
    assert len(list(source_files(tree))) == 4


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        list(source_files(tmp_path / "none"))


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLE / "demo.py"), "--once", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_runs_to_its_result(tree: Path) -> None:
    shown = demo(str(tree))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "100 %  4 files" in shown.stdout
    assert "Success, attempt 1" in shown.stdout


def test_the_demo_fails_when_its_job_does(tmp_path: Path) -> None:
    shown = demo(str(tmp_path / "none"))
    assert shown.returncode == 1
    assert "ValueError" in shown.stdout
    assert ": Failed, attempt 2" in shown.stdout
