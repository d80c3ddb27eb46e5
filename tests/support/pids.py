"""Which processes there are, as /proc has it."""

import asyncio
import contextlib
import resource
from pathlib import Path


def is_there(pid: int) -> bool:
    """Not if it has ended and only waits to be collected."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


async def gone(*pids: int) -> None:
    """Until none of them is there."""
    async with asyncio.timeout(20):
        while any(map(is_there, pids)):  # noqa: ASYNC110 - nobody tells of somebody else's child
            await asyncio.sleep(0.005)


def open_pipes() -> int:
    """Of this process, and sockets and their like; not files, of which pools keep some open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(descriptor.readlink()))
    return len([link for link in links if not link.startswith("/")])


def memory() -> int:
    """Of this process, resident, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def descendants(pid: int) -> list[int]:
    """The processes below it that have not ended."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and is_there(int(entry.name)):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found, below = [], {pid}
    while below:
        below = {child for child, parent in parents.items() if parent in below}
        found += sorted(below)
    return found
