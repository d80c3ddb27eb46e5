"""--reload: the command again, whenever a Python file of the application has changed."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from framework_m.cli.children import Child, how_it_ended
from framework_m.cli.console import DONE, UsageError, complain
from framework_m.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

_LULL = 0.3
"""Seconds without a change after which the last one is taken for the last: one save touches many
files, and so does a change of branches."""


async def reloading(arguments: Sequence[str]) -> int:
    """Run `m` with these arguments, anew after every change, until a signal."""
    _require_watchfiles()
    stop = stop_on_signals()
    watched = _Watched(stop)
    try:
        while not stop.is_set():
            watched.changed.clear()
            await _run(arguments, watched, stop)
            if not stop.is_set():
                await watched.settled()
    finally:
        await watched.close()
    return DONE


async def _run(arguments: Sequence[str], watched: _Watched, stop: asyncio.Event) -> None:
    """Once, until something has changed; then it may end gracefully."""
    child = await Child.started(arguments)
    seeing = asyncio.create_task(_see_its_code(child, watched))
    ending = asyncio.Event()
    waiting = asyncio.create_task(_end_after_change(watched, stop, ending))
    status = await child.ended(ending)
    await seeing
    if not ending.is_set():
        complain(f"it ended with {how_it_ended(status)}; the next change starts it again")
    await waiting


async def _end_after_change(watched: _Watched, stop: asyncio.Event, ending: asyncio.Event) -> None:
    await _either(watched.changed, stop)
    if not stop.is_set():
        complain(f"changed: {watched.named()}; starting again")
    ending.set()


async def _see_its_code(child: Child, watched: _Watched) -> None:
    folders = await child.up()
    if folders is not None:
        watched.also(folders)


async def _either(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


class _Watched:
    """The folder at hand and those of the application's code."""

    def __init__(self, stop: asyncio.Event) -> None:
        self.changed = asyncio.Event()
        self._stop = stop
        self._folders: list[Path] = []
        self._names: set[str] = set()
        self._watchers: list[asyncio.Task[None]] = []
        self.also([str(Path.cwd())])

    def also(self, folders: Sequence[str]) -> None:
        """Watch these, too, unless they are watched with another."""
        for folder in map(Path, folders):
            if not any(folder.is_relative_to(known) for known in self._folders):
                self._folders.append(folder)
                watching = asyncio.create_task(self._watch(folder), name=f"watch {folder}")
                self._watchers.append(watching)

    def named(self) -> str:
        """What has changed since it was asked last."""
        names, self._names = sorted(self._names), set()
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return ", ".join(names[:3]) + more

    async def settled(self) -> None:
        """Return when nothing has changed for a moment."""
        while self.changed.is_set() and not self._stop.is_set():
            self.changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LULL):
                    await _either(self.changed, self._stop)

    async def close(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    async def _watch(self, folder: Path) -> None:
        from watchfiles import PythonFilter, awatch  # noqa: PLC0415 - for development only

        async for changes in awatch(
            folder,
            watch_filter=PythonFilter(),
            stop_event=self._stop,
            ignore_permission_denied=True,
        ):
            self._names |= {_shown(Path(path)) for _, path in changes}
            self.changed.set()


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _require_watchfiles() -> None:
    try:
        import watchfiles  # noqa: F401, PLC0415 - for development only
    except ImportError as error:
        raise UsageError("--reload needs watchfiles: pip install 'framework-m[dev]'") from error
