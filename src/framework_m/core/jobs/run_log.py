"""What a run says: by its context, and by `logging` in whatever it calls."""

from __future__ import annotations

import contextlib
import itertools
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from framework_m.core import clock
from framework_m.core.interfaces.job_store import LogLine
from framework_m.core.text import storable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework_m.core.interfaces.job_store import Claim

_LONGEST_MESSAGE = 16_000
_ENGINE = ("framework_m.", "taskiq.")
"""Their loggers speak of the run, not in it."""


class LineSink(Protocol):
    """Takes lines, from any thread."""

    def say(self, line: LogLine) -> None: ...


class RunLog:
    """The lines of one run, numbered from 0; at most `limit` of them, the last one saying so."""

    def __init__(self, claim: Claim, sink: LineSink, limit: int) -> None:
        self._claim = claim
        self._sink = sink
        self._limit = limit
        self._numbers = itertools.count()  # one that threads can share

    def add(self, message: str, level: int, logger: str | None = None) -> None:
        number = next(self._numbers)
        if number < self._limit:
            self._say(number, message, level, logger)
        elif number == self._limit:
            told = f"more than {self._limit} lines: the others of this run are not kept"
            self._say(number, told, logging.WARNING, None)

    def _say(self, number: int, message: str, level: int, logger: str | None) -> None:
        text = storable(message)
        if len(text) > _LONGEST_MESSAGE:
            text = f"{text[:_LONGEST_MESSAGE]}… ({len(text) - _LONGEST_MESSAGE} more characters)"
        claim, name = self._claim, logging.getLevelName(level)
        now = clock.now()
        via = None if logger is None else storable(logger)
        level_name = storable(name)[:16]
        line = LogLine(claim.job_id, claim.claim_no, number, now, level_name, text, via)
        self._sink.say(line)


_current: ContextVar[RunLog | None] = ContextVar("framework_m_run_log", default=None)


def listen_to_logging(log: RunLog) -> None:
    """From here on, what this context logs is the run's."""
    _current.set(log)


class _Handler(logging.Handler):
    """On the root logger: hears everything that is logged anywhere."""

    def emit(self, record: logging.LogRecord) -> None:
        log = _current.get()
        if log is None or record.name.startswith(_ENGINE):
            return
        try:
            log.add(self.format(record), record.levelno, record.name)
        except Exception:  # noqa: BLE001 - what `logging` asks of a handler
            self.handleError(record)


_handler = _Handler()
_workers = 0


@contextlib.contextmanager
def logging_heard() -> Iterator[None]:
    """While a worker runs, lines that `logging` passes on inside a job are the job's, too.

    Which lines those are, the levels of the loggers decide.
    """
    global _workers  # noqa: PLW0603 - those of one process share the one root logger
    _workers += 1
    logging.getLogger().addHandler(_handler)  # a second time is harmless
    try:
        yield
    finally:
        _workers -= 1
        if not _workers:
            logging.getLogger().removeHandler(_handler)
