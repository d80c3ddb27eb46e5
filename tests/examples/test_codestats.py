"""The codestats example: its counting."""

import json
import os
import threading
import warnings
from dataclasses import asdict
from pathlib import Path

import pytest
from codestats import scan
from codestats.scan import count_files, source_files, source_root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "good.py").write_text(
        "class A:\n    def f(self): ...\n\n    # a remark\n"
        "    async def g(self):\n        def inner(): ...\n"
    )
    (tmp_path / "empty.py").write_bytes(b"")
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbfx = 1\n")
    (tmp_path / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nx = '\xe9'\n")
    (tmp_path / "notes.txt").write_text("def not_python(): ...")
    return tmp_path


def test_files_lines_functions_and_classes_are_counted(tree: Path) -> None:
    counts = count_files(source_files(tree), tree)
    assert (counts.files, counts.lines, counts.blank, counts.comments) == (4, 9, 1, 2)
    assert (counts.functions, counts.classes) == (3, 1)
    assert counts.unparsable == 0
    assert counts.largest[0] == scan.ModuleSize("package/good.py", 6)


@pytest.mark.parametrize(
    "source",
    [
        b"def f(:\n",
        b"x = '\xff'\n",
        b"# coding: nonsense\n",
        b"x = 1\x00\n",
        b"(" * 5_000 + b")" * 5_000,
        b"x" + b".y" * 100_000,
        b" " * (scan.LONGEST_SOURCE + 1),
    ],
    ids=["syntax", "encoding", "cookie", "null byte", "nesting", "chain", "length"],
)
def test_a_file_that_cannot_be_parsed_is_counted_and_named(tree: Path, source: bytes) -> None:
    (tree / "bad.py").write_bytes(source)
    counts = count_files(source_files(tree), tree)
    assert (counts.files, counts.unparsable, counts.unparsable_modules) == (5, 1, ["bad.py"])


def test_only_the_largest_and_the_first_unparsable_are_named(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"good{number:02}.py").write_text("x = 1\n" * number)
        (tmp_path / f"bad{number:02}.py").write_text("x =")
    counts = count_files(source_files(tmp_path), tmp_path)
    assert [size.lines for size in counts.largest] == list(range(19, 9, -1))
    assert counts.unparsable == 20
    assert counts.unparsable_modules == [f"bad{number:02}.py" for number in range(5)]


def test_links_lead_in_no_circles(tree: Path) -> None:
    (tree / "package" / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "broken.py").symlink_to(tree / "nowhere.py")
    (tree / "itself.py").symlink_to(tree / "itself.py")
    os.mkfifo(tree / "pipe.py")
    assert len(list(source_files(tree))) == 4


def test_a_name_that_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text("x = 1\n")
    except OSError:
        pytest.skip("this file system has only names that are text")
    counts = count_files(source_files(tmp_path), tmp_path)
    assert json.dumps(asdict(counts), ensure_ascii=False).encode()
    assert counts.largest[0].module == "caf\N{REPLACEMENT CHARACTER}.py"


def test_what_may_not_be_read_is_told_and_passed_over(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir  # refusing here, because root may read everything

    def refusing(path: str) -> object:
        if Path(path).name == "package":
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    unreadable: list[OSError] = []
    files = list(source_files(tree, unreadable.append))
    assert (len(files), len(unreadable)) == (3, 1)


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, reason in [
        ("none", "does not exist"),
        ("file", "is not a folder"),
        ("file/below", "cannot be opened"),
        ("loop", "cannot be opened"),
        ("n" * 5_000, "cannot be opened"),
    ]:
        with pytest.raises(ValueError, match=reason):
            source_root(str(tmp_path / name))


def test_old_code_warns_nobody_even_when_two_threads_count(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"old{number}.py").write_text(r"x = '\d'" + "\n")
    before = list(warnings.filters)

    def count() -> None:
        for _ in range(10):
            assert count_files(source_files(tmp_path), tmp_path).unparsable == 0

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
