"""The command `m`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError

from framework_m import __version__
from framework_m.cli import (
    events,
    info,
    job_control,
    job_list,
    jobs,
    migrate,
    queues,
    server,
    tokens,
    worker,
)
from framework_m.cli.console import (
    FAILED,
    WRONG_USAGE,
    CommandFailedError,
    UsageError,
    complain,
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
        ("job:run", jobs.job_run),
        ("job:status", jobs.job_status),
        ("job:cancel", job_control.job_cancel),
        ("job:retry", job_control.job_retry),
        ("job:delete", job_control.job_delete),
        ("queue:list", queues.queue_list),
        ("queue:pause", queues.queue_pause),
        ("queue:resume", queues.queue_resume),
        ("event:tail", events.event_tail),
        ("event:dead", events.event_dead),
        ("event:groups", events.event_groups),
        ("migrate", migrate.migrate),
        ("migrate:make", migrate.migrate_make),
        ("token:create", tokens.token_create),
        ("token:list", tokens.token_list),
        ("token:revoke", tokens.token_revoke),
        ("info", info.info),
    ):
        app.command(command, name=name)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 failed, 2 called wrongly."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
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
    return int(status or 0)


if __name__ == "__main__":
    sys.exit(main())
