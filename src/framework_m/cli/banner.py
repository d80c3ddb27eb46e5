"""What a process says of itself when it starts."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from framework_m import __version__
from framework_m.cli.listening import url_of
from framework_m.core.jobs.queue_order import QueueOrder

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from framework_m.app import FrameworkM

_WIDTH = 100
_INDENT = 13
_NAMED = 20
"""Names of one kind that are listed; the others are counted."""


def banner(
    app: FrameworkM,
    *,
    url: str | None = None,
    queues: str | None = None,
    worker: str | None = None,
    processes: int = 1,
    health: socket.socket | None = None,
) -> str:
    """Version, backend, database, what was found, and where it listens."""
    settings = app.settings
    facts = {"worker": worker} if worker else {}
    facts |= {
        "backend": settings.effective_backend.value,
        "database": database(app),
        **nats(app),
        "queues": queues or str(settings.queue_order or QueueOrder.of(app.registry.queues)),
        "jobs": _jobs(app),
    }
    if groups := sorted({handler.group for handler in app.handlers if handler.group}):
        facts["groups"] = _listed(groups)
    if scheduled := _schedules(app):
        facts["schedules"] = _listed(scheduled)
    if url is None:
        facts["at once"] = _at_once(settings.concurrency, processes)
    if health is not None:
        facts["health"] = f"{url_of(health)}/health/ready"
    if url is not None:
        facts["listens on"] = url
        facts["schema"] = f"{url}/schema"
    return "\n".join([f"Framework M {__version__}", *(_line(*fact) for fact in facts.items())])


def _line(name: str, value: str) -> str:
    return textwrap.fill(
        value,
        _WIDTH,
        initial_indent=f"  {name:<{_INDENT - 2}}",
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _jobs(app: FrameworkM) -> str:
    names = sorted(job.name for job in app.registry.own)
    found = f"{len(names)} found in {', '.join(app.modules) or 'no module'}"
    return f"{found}: {_listed(names)}" if names else found


def _schedules(app: FrameworkM) -> list[str]:
    """Those that the application's modules declare."""
    from framework_m.core.scheduling.declared import FRAMEWORK  # noqa: PLC0415 - as below

    declared = app.contents.schedules.items()
    return sorted(name for name, it in declared if it.module != FRAMEWORK)


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return ", ".join(known[:_NAMED]) + more


def _at_once(concurrency: int | None, processes: int) -> str:
    most = "any number of" if concurrency is None else str(concurrency)
    each = "" if processes == 1 else f" in each of {processes} processes"
    return f"{most} jobs{each}"


def database(app: FrameworkM) -> str:
    """The database's URL without its password."""
    from framework_m.bootstrap import safe_url  # noqa: PLC0415 - loads the vendors

    shown = safe_url(app.settings.database_url.get_secret_value())
    schema = app.settings.database_schema
    return f"{shown} (schema {schema})" if schema else shown


def nats(app: FrameworkM) -> dict[str, str]:
    """The NATS servers, without what their URLs hold of secrets; nothing if there are none."""
    from framework_m.bootstrap import shown_nats  # noqa: PLC0415 - loads the vendors

    shown = shown_nats(app.settings)
    return {"nats": f"{shown} (prefix {app.settings.nats_prefix})"} if shown else {}
