"""`m` in this process: a process of its own costs a second, most of it to import what is here."""

import asyncio
import contextlib
import importlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from unittest import mock

import pytest

from framework_m.cli.main import main
from tests.support.processes import M

ROOT = Path(__file__).parents[2]

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


class Command:
    """Runs `m` in a folder, with nothing in its environment but what is given.

    The application's modules are imported anew each time, as they would be by a process, and
    forgotten.
    """

    def __init__(
        self,
        captured: pytest.CaptureFixture[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        options: Sequence[str] = (),
        anew: str | None = None,
    ) -> None:
        """anew: the module of the application, where it is not in the folder."""
        self._captured = captured
        self._environment = environment
        self._folder = folder
        self._options = options
        self._anew = anew

    def __call__(self, *arguments: str, **environment: str) -> Done:
        words = [*arguments, *self._options]
        environment = {**self._environment, **environment}
        self._captured.readouterr()
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch.object(sys, "dont_write_bytecode", new=True),  # sources may change at once
            mock.patch.object(sys, "path", list(sys.path)),
            contextlib.chdir(self._folder),
            self._modules_anew(),
            _log_levels_kept(),
        ):
            status = main(words)
        return Done([*M, *words], status, *self._captured.readouterr())

    async def aside(self, *arguments: str, **environment: str) -> Done:
        """In a thread: for tests that have a loop of their own."""
        return await asyncio.to_thread(self, *arguments, **environment)

    @contextlib.contextmanager
    def _modules_anew(self) -> Iterator[None]:
        importlib.invalidate_caches()
        known = sys.modules.pop(self._anew, None) if self._anew else None
        before = set(sys.modules)
        try:
            yield
        finally:
            for name in set(sys.modules) - before:
                if name == self._anew or self._is_ours(name):
                    del sys.modules[name]
            if self._anew and known is not None:
                sys.modules[self._anew] = known

    def _is_ours(self, name: str) -> bool:
        places = getattr(sys.modules[name], "__path__", None) or []
        file = getattr(sys.modules[name], "__file__", None)
        found = [Path(place) for place in (*places, *([file] if file else []))]
        return self._folder != ROOT and any(it.is_relative_to(self._folder) for it in found)


@contextlib.contextmanager
def _log_levels_kept() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("alembic", "taskiq.receiver")]
    levels = [logger.level for logger in loggers]
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def application(
    captured: pytest.CaptureFixture[str],
    environment: Mapping[str, str],
    path: str = "tests.support.application",
) -> Command:
    """The command on one of the applications here."""
    options = ("--app", f"{path}:app")
    return Command(captured, {**os.environ, **environment}, ROOT, options=options, anew=path)
