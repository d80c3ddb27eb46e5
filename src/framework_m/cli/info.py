"""m info: what this installation is, and what it works on."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from framework_m import __version__
from framework_m.cli.banner import database, nats
from framework_m.cli.console import DONE, run, say, say_json
from framework_m.cli.loading import AppOption, load, named
from framework_m.cli.options import Json
from framework_m.core.errors import UnavailableError

if TYPE_CHECKING:
    from framework_m.app import FrameworkM


def info(*, as_json: Json = False, app: AppOption = None) -> int:
    """Version, backend, database and schema, modules, queues and jobs."""
    facts = run(_facts(load(app), named(app)))
    if as_json:
        say_json(facts)
        return DONE
    for name, value in facts.items():
        separator = f"\n{'':<12}" if name == "streams" else ", "
        shown = separator.join(value) if isinstance(value, list) else value
        say(f"{name:<12}{'-' if shown is None else shown}")
    return DONE


async def _facts(app: FrameworkM, path: str | None) -> dict[str, object]:
    return {
        "version": __version__,
        "python": platform.python_version(),
        "application": path,
        "modules": list(app.modules),
        "backend": app.settings.effective_backend.value,
        "database": database(app),
        **nats(app),
        "schema": await _schema(app),
        "queues": list(app.registry.queues),
        "jobs": [job.name for job in app.registry.own],
        "streams": await _streams(app),
    }


async def _streams(app: FrameworkM) -> list[str]:
    async with app:
        try:
            found = await app.ports.streams()
        except UnavailableError as error:
            return [str(error)]
    return [
        f"{stream.name}: {', '.join(stream.subjects)}, kept {stream.retention}. {stream.purpose}"
        + "".join(f" DRIFT: {drift}." for drift in stream.drift)
        for stream in found
    ]


async def _schema(app: FrameworkM) -> str:
    async with app:
        try:
            found, needed = await app.ports.schema_revisions()
        except UnavailableError as error:
            return str(error)
    return f"{found or 'none'} (this version needs {needed})"
