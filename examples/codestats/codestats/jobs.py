"""The job: scan a tree, and tell how far it is."""

import asyncio
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

from codestats.scan import Counts, count_files, shown, source_files, source_root
from framework_m import JobContext, job

_CHUNK = 50


@dataclass(frozen=True)
class TreeSummary(Counts):
    """What a tree holds, and how long it took to count."""

    root: str = ""
    unreadable_folders: int = 0
    seconds: float = 0.0


@job(timeout=600, retries=1, http=True)
async def scan_tree(ctx: JobContext, path: str | None = None) -> TreeSummary:
    """Count the Python files below `path`, by default this environment's own packages."""
    started = time.perf_counter()
    root, files, unreadable = await asyncio.to_thread(
        _listed, sysconfig.get_path("purelib") if path is None else path
    )
    counts = Counts()
    for start in range(0, len(files), _CHUNK):
        chunk = files[start : start + _CHUNK]
        # In a thread, so that the event loop lives. Processes would be twice as fast on two cores,
        # and could outlive a worker that is killed.
        counts += await asyncio.to_thread(count_files, chunk, root)
        await ctx.progress(counts.files, total=len(files), message=f"{counts.files} files")
    return TreeSummary(
        **vars(counts),
        root=shown(root),
        unreadable_folders=unreadable,
        seconds=round(time.perf_counter() - started, 2),
    )


def _listed(path: str) -> tuple[Path, list[Path], int]:
    root = source_root(path)
    unreadable: list[OSError] = []
    return root, list(source_files(root, unreadable.append)), len(unreadable)
