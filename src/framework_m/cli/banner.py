"""What a process says of itself when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework_m import __version__
from framework_m.core.jobs.queue_order import QueueOrder

if TYPE_CHECKING:
    from framework_m.app import FrameworkM


def banner(app: FrameworkM, *, url: str | None = None, queues: str | None = None) -> str:
    """Version, backend, database, what was found, and where it listens."""
    facts = {
        "backend": app.settings.effective_backend.value,
        "database": database(app),
        **nats(app),
        "jobs": f"{len(app.registry.own)} found in {', '.join(app.modules) or 'no module'}",
        "queues": queues or str(app.settings.queue_order or QueueOrder.of(app.registry.queues)),
    }
    if url is not None:
        facts["listens on"] = url
        facts["schema"] = f"{url}/schema"
    lines = (f"  {name:<11}{value}" for name, value in facts.items())
    return "\n".join([f"Framework M {__version__}", *lines])


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
