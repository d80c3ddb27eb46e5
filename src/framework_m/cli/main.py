"""The command `m`."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError

from framework_m import __version__
from framework_m.cli import (
    completion,
    events,
    info,
    job_control,
    job_list,
    job_run,
    job_status,
    migrate,
    queues,
    schedule_save,
    schedule_times,
    schedules,
    server,
    tokens,
    worker,
    workers,
)
from framework_m.cli.children import attach_to_parent
from framework_m.cli.console import (
    FAILED,
    INTERRUPTED,
    WRONG_USAGE,
    CommandFailedError,
    UsageError,
    complain,
    say_no_more,
)
from framework_m.core.errors import ConfigurationError, FrameworkMError

if TYPE_CHECKING:
    from collections.abc import Sequence


def build() -> App:
    """Every command under its name."""
    app = App(
        name="m",
        help="Framework M: background work that survives whatever dies.",
        version=__version__,
        help_format="plaintext",
    )
    for name, command in (
        ("dev", server.dev),
        ("web", server.web),
        ("worker", worker.worker),
        ("job:list", job_list.job_list),
        ("job:status", job_status.job_status),
        ("job:cancel", job_control.job_cancel),
        ("job:retry", job_control.job_retry),
        ("job:delete", job_control.job_delete),
        ("queue:list", queues.queue_list),
        ("queue:pause", queues.queue_pause),
        ("queue:resume", queues.queue_resume),
        ("worker:list", workers.worker_list),
        ("worker:drain", workers.worker_drain),
        ("schedule:list", schedules.schedule_list),
        ("schedule:save", schedule_save.schedule_save),
        ("schedule:run", schedules.schedule_run),
        ("schedule:pause", schedules.schedule_pause),
        ("schedule:resume", schedules.schedule_resume),
        ("schedule:delete", schedules.schedule_delete),
        ("schedule:history", schedule_times.schedule_history),
        ("schedule:preview", schedule_times.schedule_preview),
        ("event:tail", events.event_tail),
        ("event:dead", events.event_dead),
        ("event:groups", events.event_groups),
        ("migrate", migrate.migrate),
        ("migrate:make", migrate.migrate_make),
        ("token:create", tokens.token_create),
        ("token:list", tokens.token_list),
        ("token:revoke", tokens.token_revoke),
        ("info", info.info),
        ("completion", completion.completion),
    ):
        app.command(command, name=name)
    # Its --help is its own, because after a job's name it is about that job.
    app.command(job_run.job_run, name="job:run", help_flags=())
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 failed, 2 called wrongly, 130 interrupted."""
    _open_what_is_closed()
    attach_to_parent()
    _write_any_sign()
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _require_text(tokens)
        status = build()(
            tokens, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        complain(" ".join(str(error).split()))
        return WRONG_USAGE
    except (UsageError, ConfigurationError) as error:
        complain(str(error))
        return WRONG_USAGE
    except (CommandFailedError, FrameworkMError) as error:
        complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # `m job:list | head -1`: enough was said
            complain(f"cannot go on: {error}")
        say_no_more(sys.stdout)
        return FAILED
    return int(status or 0)


def _open_what_is_closed() -> None:
    """`m … >&-`: otherwise Python has no stdout, and the next file that opens takes its place."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - for good


def _require_text(tokens: Sequence[str]) -> None:
    """Bytes that the locale cannot decode are no text, which no database would take."""
    for token in tokens:
        if any("\ud800" <= sign <= "\udfff" for sign in token):
            raise UsageError(f"{token!r} is not text in the encoding of this locale")


def _write_any_sign() -> None:
    """A sign that stdout's encoding lacks is spelled out: no reason for a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
