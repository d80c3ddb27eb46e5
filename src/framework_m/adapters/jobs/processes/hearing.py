"""What is done with what jobs in other processes say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from framework_m.core.interfaces.job_store import LogLine, ProgressReport


class Record(Protocol):
    """Keeps lines and progress: the worker's recorder."""

    def say(self, line: LogLine) -> None: ...

    def report(self, report: ProgressReport) -> None: ...


class Hearing:
    """Keeps it, and gives what came through `logging` to this process's own handlers.

    Where the logs of a worker go, those of its jobs go, wherever they run.
    """

    def __init__(self, record: Record) -> None:
        self._record = record

    def say(self, line: LogLine) -> None:
        self._record.say(line)
        if line.logger is not None:
            level = logging.getLevelNamesMapping().get(line.level, logging.INFO)
            logging.getLogger(line.logger).log(level, "%s", line.message)

    def report(self, report: ProgressReport) -> None:
        self._record.report(report)
