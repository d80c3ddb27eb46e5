"""Which processes there are, as /proc has it."""

import asyncio
import os
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


def in_session_of(leader: int) -> list[int]:
    """Those that are in its process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and is_there(int(entry.name)):
            try:
                group = os.getpgid(int(entry.name))
            except ProcessLookupError:
                continue
            if group == leader:
                found.append(int(entry.name))
    return found
