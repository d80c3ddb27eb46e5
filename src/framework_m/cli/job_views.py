"""How a followed job looks: a bar at a terminal, a line for each change elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self

from framework_m.cli.console import printable, say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from framework_m.cli.following import Look
    from framework_m.core.doctypes.job_log import JobLog
    from framework_m.core.interfaces.job_store import LogLine

_BAR_WIDTH = 30


class View(Protocol):
    """Shows looks, one after the other."""

    def show(self, look: Look) -> None: ...


class Lines:
    """One line per change, for files and pipes: plain text, nothing is drawn over."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def show(self, look: Look) -> None:
        for line in look.lines:
            say(shown_line(line))
        if look.is_news:
            say(f"{look.job.updated_at:%H:%M:%S} {summary(look.job)}")


class Bar:
    """A line that is drawn anew at each look; what the job logs is printed above it."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only where a bar is drawn
        from rich.live import Live  # noqa: PLC0415 - as above

        console = Console(highlight=False, markup=False, emoji=False)
        # Drawn at each look, several times a second: a thread of its own would draw the same.
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, look: Look) -> None:
        for line in look.lines:
            self._live.console.print(shown_line(line), soft_wrap=True)
        self._live.update(_row(look.job), refresh=True)


def shown_line(line: LogLine) -> str:
    name = f" {line.logger}" if line.logger else ""
    return f"{line.at:%H:%M:%S} {line.level}{printable(name)}: {printable(line.message)}"


def summary(job: JobLog) -> str:
    """`Running  40 %  400 rows  12 s`: what is known of these."""
    parts = [job.status.value]
    if job.attempt > 1:
        parts.append(f"attempt {job.attempt}/{job.max_attempts}")
    if job.progress is not None:
        parts.append(f"{job.progress:.0f} %")
    if job.progress_message:
        parts.append(printable(job.progress_message))
    return "  ".join([*parts, *_times(job)])


def _row(job: JobLog) -> RenderableType:
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    bar = ProgressBar(
        total=None if job.progress is None and not job.status.is_terminal else 100,
        completed=job.progress or 0,
        width=_BAR_WIDTH,
    )
    row = Table.grid(padding=(0, 1))
    row.add_column(no_wrap=True)
    row.add_column()
    row.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    row.add_row(Text(printable(job.job_name)), bar, Text(summary(job)))
    return row


def _times(job: JobLog) -> list[str]:
    """How long it has run, or until when it waits."""
    if job.started_at is not None and job.completed_at is not None:
        return [_length((job.completed_at - job.started_at).total_seconds())]
    if job.started_at is not None and job.worker is not None and job.lease_until is not None:
        return [_length((datetime.now(UTC) - job.started_at).total_seconds())]
    if not job.status.is_terminal and job.scheduled_at > datetime.now(UTC):
        return [f"due {job.scheduled_at:%Y-%m-%d %H:%M:%S} UTC"]
    return []


def _length(seconds: float) -> str:
    """`12 s`, `3:07 min`, `2:03:07 h`. Clocks differ: never below 0."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
