"""The example's own tests: `pytest` in this folder. No server runs."""

from pathlib import Path

import pytest
from codestats.jobs import scan_tree

from framework_m import JobStatus
from framework_m.testing import JobsFailedError, Kit


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "one.py").write_text("def f():\n    return 1\n")
    (tmp_path / "two.py").write_text("class A:\n    def g(self): ...\n")
    (tmp_path / "notes.txt").write_text("no code\n")
    return tmp_path


async def test_a_tree_is_counted(kit: Kit, tree: Path) -> None:
    handle = await scan_tree.enqueue(str(tree))
    await kit.assert_enqueued(scan_tree, {"path": str(tree)})
    [scanned] = await kit.drain()
    assert (scanned.progress, scanned.progress_message) == (100, "2 files")
    summary = await handle.result()
    assert (summary.files, summary.functions, summary.classes) == (2, 2, 1)


async def test_a_folder_that_is_not_there_is_tried_again(kit: Kit, tree: Path) -> None:
    handle = await scan_tree.enqueue(str(tree / "later"))
    with pytest.raises(JobsFailedError, match="attempt 1 of 2"):
        await kit.drain()
    (tree / "later").mkdir()
    kit.clock.advance(hours=1)
    await kit.drain()
    assert await handle.status() is JobStatus.SUCCESS


@pytest.mark.framework_m(inline=True)
async def test_inline_it_is_counted_at_once(kit: Kit, tree: Path) -> None:
    handle = await scan_tree.enqueue(str(tree))
    assert (await handle.result()).files == 2
