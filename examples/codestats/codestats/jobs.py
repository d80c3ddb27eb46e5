"""The job: scan a tree, and tell how far it is."""

import asyncio
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

from codestats.scan import Counts, count_files, source_files
from framework_m import JobContext, job

_CHUNK = 50


@dataclass(frozen=True)
class TreeSummary:
    """What a tree holds."""

    root: str
    seconds: float
    counts: Counts


@job(timeout=600, retries=1)
async def scan_tree(ctx: JobContext, path: str | None = None) -> TreeSummary:
    """Count the Python files below `path`, by default this environment's own packages."""
    started = time.perf_counter()
    root, files = await asyncio.to_thread(_listed, path or sysconfig.get_path("purelib"))
    counts = Counts()
    for start in range(0, len(files), _CHUNK):
        chunk = files[start : start + _CHUNK]
        # Parsing takes the processor for itself: in a thread, so that the event loop lives.
        counts += await asyncio.to_thread(count_files, chunk, root)
        await ctx.progress(counts.files, total=len(files), message=f"{counts.files} files")
    return TreeSummary(str(root), round(time.perf_counter() - started, 1), counts)


def _listed(path: str) -> tuple[Path, list[Path]]:
    root = Path(path).resolve()
    return root, list(source_files(root))
