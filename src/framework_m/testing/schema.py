"""The database of a test: a file, copied from one that is made once per process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from framework_m.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from framework_m.app import FrameworkM

_FILE = "test.db"
_made: WeakKeyDictionary[FrameworkM, bytes] = WeakKeyDictionary()


def settings(folder: Path) -> dict[str, Any]:
    """What isolates an application: a SQLite file in this folder, and no server."""
    return {
        "database_url": f"sqlite:///{folder / _FILE}",
        "database_schema": None,
        "backend": "database",
        "nats_url": None,
    }


UNLESS_SAID: Mapping[str, Any] = {"queues": None, "strict_queues": False, "own_schedules": False}
"""Unless a test says otherwise, all queues are drained, whatever the environment lets workers
serve; and nothing is due but what the application has.
"""


def checked(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings that a test asks for. Raises ConfigurationError."""
    from framework_m.core.text import nearest_of  # noqa: PLC0415 - the plugin loads this module
    from framework_m.settings import Settings  # noqa: PLC0415 - as above

    for name in given:
        if name not in Settings.model_fields:
            nearest = nearest_of(name, Settings.model_fields)
            hint = f"; did you mean {nearest}?" if nearest else ""
            raise ConfigurationError(f"there is no setting {name!r}{hint}")
        if name in settings(Path()):
            raise ConfigurationError(f"the kit has a database of its own: {name} is not yours")
    return given


async def make_database(app: FrameworkM, folder: Path) -> None:
    """Put the file that `settings` names into the folder, with all tables of the application."""
    if app not in _made:
        _made[app] = await _make(app)
    (folder / _FILE).write_bytes(_made[app])


async def _make(app: FrameworkM) -> bytes:
    with tempfile.TemporaryDirectory(prefix="framework_m_") as name:
        folder = Path(name)
        with app.isolated(**settings(folder)):
            async with app:
                await app.ports.create_schema()
            return (folder / _FILE).read_bytes()
